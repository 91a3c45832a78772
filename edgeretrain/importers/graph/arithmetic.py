"""Which operations a graph may hold between its image input and its bottleneck: arithmetic and nothing else."""

import math
from collections.abc import Iterable

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.tensorflow_types import NodeDef

SAME_VALUES = frozenset(
    {
        "Identity",
        "PlaceholderWithDefault",
        "StopGradient",
        "PreventGradient",
        "Snapshot",
        "CheckNumerics",
        "EnsureShape",
    }
)
"""What hands its first input on as it is, at inference."""

RESHAPES = frozenset({"Reshape", "Squeeze", "ExpandDims"})
"""What gives the values of its first input another shape."""

FAKE_QUANTIZATION = frozenset(
    {"FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVarsPerChannel"}
)
"""What rounds its first input as int8 would, to train for that."""

_NAMES = """
Const Identity IdentityN PlaceholderWithDefault StopGradient PreventGradient CheckNumerics EnsureShape
Reshape Squeeze ExpandDims Cast Shape ShapeN Rank Size Range Fill ZerosLike OnesLike BroadcastTo
Conv2D DepthwiseConv2dNative Conv2DBackpropInput MatMul BatchMatMul BatchMatMulV2 Einsum BiasAdd BiasAddV1
FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 BatchNormWithGlobalNormalization LRN
AvgPool MaxPool MaxPoolV2 Mean Sum Max Min Prod ArgMax
Add AddV2 AddN Sub Mul RealDiv Div DivNoNan FloorDiv FloorMod Maximum Minimum SquaredDifference Pow
Neg Abs Sign Square Sqrt Rsqrt Exp Expm1 Log Log1p Reciprocal Inv Erf Erfc Round Floor Ceil ClipByValue
Sin Cos Tan Asin Acos Atan Atan2 Sinh Cosh Asinh Acosh Atanh Xlogy Cumsum Cumprod
Relu Relu6 LeakyRelu Elu Selu Sigmoid Tanh Softplus Softsign Softmax LogSoftmax
Concat ConcatV2 Pack Unpack Split SplitV Slice StridedSlice Gather GatherV2 Tile Transpose ReverseV2
Pad PadV2 MirrorPad SpaceToBatchND BatchToSpaceND SpaceToDepth DepthToSpace Roll OneHot
ResizeBilinear ResizeNearestNeighbor ResizeBicubic ResizeArea ScaleAndTranslate ExtractImagePatches Dilation2D
Select SelectV2 Greater GreaterEqual Less LessEqual Equal NotEqual LogicalAnd LogicalOr LogicalNot
Any All IsNan IsInf IsFinite
"""
_ARITHMETIC = FAKE_QUANTIZATION | frozenset(_NAMES.split())

_MOST = 1 << 28
"""Numbers in one constant, at most: a damaged shape must not fill the memory."""

_VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp", "ReadVariableOp", "RestoreV2", "Restore"})
_EIGHT_BITS = frozenset({"Dequantize", "QuantizeV2", "Quantize", "Requantize", "RequantizationRange"})
_CONTROL_FLOW = frozenset({"Switch", "Merge", "Enter", "If", "StatelessIf", "While", "StatelessWhile", "Case"})


def is_arithmetic(operation: str) -> bool:
    """Whether an operation only computes its result from its inputs."""
    return operation in _ARITHMETIC


def check_arithmetic(nodes: Iterable[NodeDef], what: str) -> None:
    """Check that these nodes (`NodeDef`) do nothing but arithmetic, and compute what they did in training's end.

    Args:
        what: name of the file, for the message.

    Raises:
        EdgeretrainError: one does more; the message names it and says what to do.
    """
    for node in nodes:
        if node.op not in _ARITHMETIC:
            raise EdgeretrainError(f"{what}: {_refusal(node)}")
        if node.op == "Const" and _numbers(node) > _MOST:
            raise EdgeretrainError(
                f"{what}: its constant {node.name} claims to hold {_numbers(node):,} numbers, more than any image "
                "network has. The file is damaged: copy or make it again."
            )
        training = node.attr["is_training"].b if "is_training" in node.attr else True
        if node.op.startswith("FusedBatchNorm") and training:
            raise EdgeretrainError(
                f"{what}: was frozen in training mode ({node.name} takes mean and variance from the batch). Freeze "
                "the graph that was built for inference, with is_training=False."
            )


def _numbers(constant: NodeDef) -> int:
    return math.prod(dim.size for dim in constant.attr["value"].tensor.tensor_shape.dim)


def _refusal(node: NodeDef) -> str:
    from tensorflow.python.framework import op_def_registry

    named = f"{node.name} ({node.op})"
    if node.op in _VARIABLES:
        return (
            f"is not frozen: {named} is a variable, and its value is in a checkpoint. Freeze the graph with its "
            "checkpoint, or give the folder of the SavedModel."
        )
    if node.op.startswith("Quantized") or node.op in _EIGHT_BITS:
        return (
            f"was rewritten to 8 bits ({named}), as quantize_graph.py does. Give the graph that it was made from, such "
            "as retrained_graph.pb; --precision int8 makes it small."
        )
    if node.op == "Placeholder":
        return (
            f"needs another input beside the photo, {node.name}:0. Freeze the graph with its value, or name the "
            "photo's tensor with --input and the bottleneck's with --layer."
        )
    if node.op in _CONTROL_FLOW:
        return f"holds branches or loops ({named}). Freeze the graph that was built for inference only."
    if node.op.startswith(("Random", "StatelessRandom", "Truncated", "Multinomial")):
        return f"draws random numbers ({named}), as in training. Freeze the graph that was built for inference."
    if op_def_registry.get(node.op) is None:
        return (
            f"holds a custom operation ({named}) that TensorFlow does not have, so it would run custom code. Cut "
            "the graph before it with --layer, or freeze it without it."
        )
    return (
        f"holds {named}, but only arithmetic is allowed: nothing from a graph may touch files, run code or keep "
        "state. Cut the graph elsewhere with --input and --layer, or freeze it without it."
    )
