"""Stable operations: those of TensorFlow that an exported graph may hold.

TensorFlow 2.18 knows them all. Before you add one, check that the server named in
savedmodels/README.md knows it.
"""

from tensorflow.core.protobuf import saved_model_pb2

# What N's gradient adds, for the search of the signature `region`.
GRADIENT_OPS = set(
    """
    AddN AvgPoolGrad BiasAddGrad BroadcastGradientArgs ConcatOffset Conv2DBackpropFilter
    Conv2DBackpropInput DynamicStitch FloorMod FusedBatchNormGradV3 InvertPermutation MaxPoolGrad
    MirrorPadGrad Pow PreventGradient Prod ReluGrad RsqrtGrad ShapeN SigmoidGrad Slice SoftplusGrad
    SqrtGrad StopGradient TanhGrad Tile While
    """.split()
)
STABLE_OPS = set(
    """
    Abs AddV2 All Any ArgMax AsString Assert AssignVariableOp AvgPool BatchMatMulV2 BatchToSpaceND
    BiasAdd BroadcastTo Cast ConcatV2 Const Conv2D Cumsum DecodeImage DecodeRaw DisableCopyOnRead
    Einsum EncodePng EnsureShape Equal ExpandDims Fill FloorDiv FusedBatchNormV3 GatherV2 Greater
    GreaterEqual Identity IdentityN LeftShift Less LessEqual Log LogicalAnd LogicalNot LogicalOr
    MatrixDiagV3 Max MaxPool Maximum Mean MergeV2Checkpoints Min Minimum MirrorPad Mul Neg NoOp Pack
    Pad PartitionedCall Placeholder Range ReadVariableOp RealDiv Relu Reshape ResizeNearestNeighbor
    RestoreV2 Round Rsqrt SaveV2 ScaleAndTranslate Select SelectV2 Shape ShardedFilename Sigmoid
    Softplus SpaceToBatchND Split SplitV Sqrt Square Squeeze StatefulPartitionedCall StatelessWhile
    StaticRegexFullMatch StridedSlice StringJoin Sub Substr Sum TensorListFromTensor
    TensorListGetItem TensorListReserve TensorListSetItem TensorListStack TopKV2 Transpose Unpack
    VarHandleOp ZerosLike
    """.split()
)


def ops_of(graph_def):
    """Names of all operations of a graph, its function library included."""
    nodes = [*graph_def.node, *(node for f in graph_def.library.function for node in f.node_def)]
    return {node.op for node in nodes}


def ops_saved_in(version):
    """Names of all operations in the folder of an exported version."""
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    (meta,) = saved.meta_graphs
    return ops_of(meta.graph_def)
