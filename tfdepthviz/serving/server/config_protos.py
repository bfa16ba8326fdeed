"""Messages of TensorFlow Serving's batching and monitoring files, which no Python package has.

Field names and numbers are those of TensorFlow Serving's session_bundle_config.proto and
monitoring_config.proto. `pad_variable_length_inputs` is left out: this server does not pad.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_FIELD = descriptor_pb2.FieldDescriptorProto
_INT64 = ".google.protobuf.Int64Value"
_BATCHING = (
    ("max_batch_size", 1, _INT64),
    ("batch_timeout_micros", 2, _INT64),
    ("max_enqueued_batches", 3, _INT64),
    ("num_batch_threads", 4, _INT64),
    ("thread_pool_name", 5, ".google.protobuf.StringValue"),
)


def _pool():
    # A separate pool: the names are TensorFlow Serving's, and others may add them to the default.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name="tfdepthviz/serving/configs.proto",
        package="tensorflow.serving",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    batching = file.message_type.add(name="BatchingParameters")
    for name, number, type_name in _BATCHING:
        batching.field.add(
            name=name,
            number=number,
            type=_FIELD.TYPE_MESSAGE,
            type_name=type_name,
            label=_FIELD.LABEL_OPTIONAL,
        )
    batching.field.add(
        name="allowed_batch_sizes",
        number=6,
        type=_FIELD.TYPE_INT64,
        label=_FIELD.LABEL_REPEATED,
    )
    prometheus = file.message_type.add(name="PrometheusConfig")
    for name, number, kind in (("enable", 1, _FIELD.TYPE_BOOL), ("path", 2, _FIELD.TYPE_STRING)):
        prometheus.field.add(name=name, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)
    file.message_type.add(name="MonitoringConfig").field.add(
        name="prometheus_config",
        number=1,
        type=_FIELD.TYPE_MESSAGE,
        type_name=".tensorflow.serving.PrometheusConfig",
        label=_FIELD.LABEL_OPTIONAL,
    )
    pool.Add(file)
    return pool


_POOL = _pool()
BatchingParameters = message_factory.GetMessageClass(
    _POOL.FindMessageTypeByName("tensorflow.serving.BatchingParameters")
)
MonitoringConfig = message_factory.GetMessageClass(
    _POOL.FindMessageTypeByName("tensorflow.serving.MonitoringConfig")
)
