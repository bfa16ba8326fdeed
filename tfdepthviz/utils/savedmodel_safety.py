"""A check of a SavedModel's operations before it is loaded.

A SavedModel is a program. TensorFlow's operations can read and write files, open connections and
run Python; a network needs none of these. The check refuses operations that TensorFlow marks as
having state, other than variables, random numbers and control flow, and operations that read files
without this mark. Operations that save and restore variables are in every SavedModel; they are
allowed where only the loader runs them. XlaCallModule stands for a program of JAX; it is allowed
where that program computes with tensors alone (`xla_modules`).

This keeps a model from the files and the network of this machine. It limits neither time nor
memory, and does not protect against errors in TensorFlow's own operations.
"""

import collections
import os
import re

from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.xla_modules import forbidden_in

ALLOWED_STATE = re.compile(
    r"(Stateful)?PartitionedCall|If|While|Case|Assert|CheckNumerics(V2)?|GuaranteeConst|Empty"
    r"|DeepCopy|VarHandleOp|Variable(V2)?|VarIsInitializedOp|VariableShape|DisableCopyOnRead"
    r"|ReadVariableOp|Assign(Add|Sub)?VariableOp|Resource(Gather|GatherNd|Scatter\w*)"
    r"|TensorArray\w*V3|Random\w+|TruncatedNormal|Multinomial|StatelessRandomGetAlg|RngReadAndSkip"
    r"|RngSkip|Stateful(Uniform|UniformInt|UniformFullInt|StandardNormalV2|TruncatedNormal)"
    r"|RestoreV2|SaveV2|MergeV2Checkpoints"
)
FORBIDDEN_WITHOUT_STATE = re.compile(
    r"ReadFile|MatchingFiles|PyFuncStateless|\w*Dataset\w*|Debug\w+|(De|En)codeProto\w*"
    r"|InitializeTableFromTextFile|Reader\w+"
)
WRITERS = {"SaveV2", "MergeV2Checkpoints"}
SAVERS = {"RestoreV2", *WRITERS}
# Other forms of saved_model.pb, which TensorFlow may read instead.
OTHER_FORMS = ("saved_model.pbtxt", "saved_model.cpb")


def check_savedmodel(path, instead=""):
    """Refuses a SavedModel with operations that touch anything but tensors and its own variables.

    Args:
      path: its folder.
      instead: end of the message, with what the user can do instead.
    Raises:
      InputError: the graph holds such operations, which the message names, is damaged, or is in
        another form.
    """
    for name in OTHER_FORMS:
        if os.path.exists(os.path.join(path, name)):
            raise InputError(f"{path}: does not load as a SavedModel: {name} is not read here")
    try:
        with open(os.path.join(path, "saved_model.pb"), "rb") as file:
            saved = saved_model_pb2.SavedModel.FromString(file.read())
    except OSError:
        return  # the loader will say what is missing
    except Exception as error:  # protobuf's own, which TensorFlow brings along
        raise InputError(f"{path}: does not load as a SavedModel ({error})") from error
    names = sorted({name for meta in saved.meta_graphs for name in _forbidden(meta)})
    if names:
        raise InputError(
            f"{path}: its graph holds {', '.join(names)}, which may reach files, the network or "
            f"code of this machine, and no network needs that{instead}"
        )


def forbidden_operations(graph_def):
    """Names of the operations of a graph and its functions that no SavedModel may hold."""
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    ops = {node.op for nodes in bodies for node in nodes} - {"XlaCallModule"}
    modules = (n for nodes in bodies for n in nodes if n.op == "XlaCallModule")
    return set(filter(_is_forbidden, ops)).union(*map(forbidden_in, modules))


def _forbidden(meta):
    """Names of a graph's operations that are not allowed where they stand."""
    return forbidden_operations(meta.graph_def) | _misplaced_savers(meta)


def _is_forbidden(op):
    registered = op_def_registry.get(op)  # None: one of the graph's own functions
    if registered is not None and registered.is_stateful:
        return not ALLOWED_STATE.fullmatch(op)
    return bool(FORBIDDEN_WITHOUT_STATE.fullmatch(op))


def _misplaced_savers(meta):
    """Those of SAVERS that something other than the loader could run."""
    main = {node.name: node for node in meta.graph_def.node}
    functions = {f.signature.name: f.node_def for f in meta.graph_def.library.function}
    saver = _with_inputs(main, (meta.saver_def.save_tensor_name, meta.saver_def.restore_op_name))
    inside = _called_from((main[name] for name in saver), functions)
    direct = {name for name, nodes in functions.items() if any(n.op in SAVERS for n in nodes)}
    if direct - inside:
        return SAVERS & {node.op for name in direct - inside for node in functions[name]}
    restoring = [main[name] for name in _with_inputs(main, [meta.saver_def.restore_op_name])]
    called = (functions[name] for name in _called_from(restoring, functions))
    if WRITERS & {node.op for nodes in (restoring, *called) for node in nodes}:
        return SAVERS
    dangerous = {name for name, node in main.items() if _saves(node, functions, direct)}
    # Of a Saver that restored the variables before the export, and which nothing runs any more.
    unused = _dependents(main, dangerous - saver)
    run = {
        *_fetched(meta),
        *(_node(name) for n in main.values() if n.name not in saver for name in n.input),
    }
    callable_functions = set(meta.object_graph_def.concrete_functions)
    callable_functions |= {g.gradient_func for g in meta.graph_def.library.gradient}
    for name, nodes in functions.items():
        if name not in inside:
            callable_functions |= _called_from(nodes, functions)
    safe = not unused & (_fetched(meta) | saver) and not _named_in_protos(meta, unused)
    safe = safe and not dangerous & saver & run and not direct & callable_functions
    return set() if safe else SAVERS


def _fetched(meta):
    """Names of the nodes that whoever loads a graph may run by themselves."""
    return {
        *(_node(tensor.name) for s in meta.signature_def.values() for tensor in s.outputs.values()),
        *(_node(name) for c in meta.collection_def.values() for name in c.node_list.value),
    }


def _named_in_protos(meta, names):
    """Whether a collection of messages, such as variables with their initialisers, names nodes."""
    # Savers that scripts collected are never run by a loader.
    held = (c.bytes_list.value for key, c in meta.collection_def.items() if key != "savers")
    text = b"\n".join(value for values in held for value in values)
    return any(name.encode() in text for name in names)


def _dependents(nodes, names):
    """Names of nodes, and of all nodes that depend on them."""
    users = collections.defaultdict(set)
    for node in nodes.values():
        for name in node.input:
            users[_node(name)].add(node.name)
    reached, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += users[name]
    return reached


def _saves(node, functions, direct):
    return node.op in SAVERS or bool(direct & _called_from([node], functions))


def _with_inputs(nodes, names):
    """Names of nodes and of all nodes that their inputs depend on."""
    reached, open_names = set(), [_node(name) for name in names]
    while open_names:
        name = open_names.pop()
        if name in nodes and name not in reached:
            reached.add(name)
            open_names += map(_node, nodes[name].input)
    return reached


def _called_from(nodes, functions):
    """Names of the functions that nodes call, directly or through others."""
    called, open_nodes = set(), list(nodes)
    while open_nodes:
        node = open_nodes.pop()
        names = {node.op}
        for value in node.attr.values():
            names |= {value.func.name, *(function.name for function in value.list.func)}
        for name in names & functions.keys() - called:
            called.add(name)
            open_nodes += functions[name]
    return called


def _node(tensor):
    return tensor.lstrip("^").split(":")[0]
