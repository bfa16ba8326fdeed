"""TensorFlow operations that an exported graph may hold.

All known to TensorFlow 2.18. Before another joins them, see that the server that
savedmodels/README.md names knows it.
"""

STABLE_OPS = set(
    """
    Abs AddV2 All Any ArgMax AsString Assert AssignVariableOp AvgPool BatchMatMulV2 BatchToSpaceND
    BiasAdd Cast ConcatV2 Const Conv2D DecodeImage DisableCopyOnRead EncodePng EnsureShape Equal
    ExpandDims FusedBatchNormV3 GatherV2 Greater GreaterEqual Identity Less LessEqual Log LogicalAnd
    MatMul Max MaxPool Maximum Mean MergeV2Checkpoints Minimum MirrorPad Mul NoOp Pack Pad
    Placeholder ReadVariableOp RealDiv Relu Reshape ResizeNearestNeighbor RestoreV2 Round Rsqrt
    SaveV2 ScaleAndTranslate Select Shape ShardedFilename Sigmoid Softplus SpaceToBatchND Split
    Sqrt Square Squeeze StatefulPartitionedCall StatelessWhile StaticRegexFullMatch StridedSlice
    StringJoin Sub Sum Tanh TensorListFromTensor TensorListGetItem TensorListReserve
    TensorListSetItem TensorListStack VarHandleOp
    """.split()
)


def ops_of(graph_def):
    """Names of all operations of a graph, its function library included."""
    nodes = [*graph_def.node, *(node for f in graph_def.library.function for node in f.node_def)]
    return {node.op for node in nodes}
