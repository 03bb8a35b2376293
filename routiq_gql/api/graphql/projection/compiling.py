"""Compiles the selection of an operation with a single root field to a function from that field's value to JSON.

An object becomes an ``attrgetter`` of its fields, a function for each of these values, and a ``%`` template with the
names. Nothing is generated as source. The caller caches the result for a document, an operation and the values of
``deciding_variables``.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from routiq_gql.api.graphql.projection.leaves import NotProjected, Render, render_of
from routiq_gql.api.graphql.projection.selections import Collector, Ineligible, interfaces_of, selection_sets

WITHOUT_ARGUMENTS = "without_arguments"
"""Metadata of a field with a resolver: the attribute that it returns if it is selected without arguments."""

Projection = Callable[[object], bytes]
"""The value of the only root field to ``{"data":{"<response name>":…}}``, the bytes of ``encode_json``.

Raises:
    NotProjected: The executor has to render this value.
"""


def compile_selection(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, object],
) -> Projection | None:
    """The function that renders the root field's value; ``None`` if the executor has to render it.

    Args:
        operation: A validated operation.
        fragments: The fragments of its document by name.
        variables: The coerced values of its variables.
    """
    try:
        name, render = _compile(schema, operation, Collector(fragments, variables, interfaces_of(schema)))
    except Exception:  # Ineligible, or an upgrade has changed what is read here: test_contract.py then fails
        return None
    template = f'{{"data":{{"{name}":%s}}}}'

    def project(value: object) -> bytes:
        try:
            return (template % render(value)).encode("ascii")
        except NotProjected:
            raise
        except Exception as error:  # an attribute is missing, for example: the executor reports it
            raise NotProjected from error

    return project


def _compile(schema: GraphQLSchema, operation: OperationDefinitionNode, collector: Collector) -> tuple[str, Render]:
    """The response name of the only root field, and the function for its value."""
    root = schema.get_root_type(operation.operation)
    if root is None:
        raise Ineligible(operation.operation.value)
    fields = collector.fields(root.name, [operation.selection_set])
    if len(fields) != 1:
        raise Ineligible("several root fields")
    ((name, nodes),) = fields.items()
    return name, _Compiler(collector).value(root.fields[nodes[0].name.value].type, nodes)


class _Compiler:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def value(self, type_: GraphQLOutputType, nodes: list[FieldNode]) -> Render:
        if is_non_null_type(type_):
            return self._present(type_.of_type, nodes)
        return _or_null(self._present(type_, nodes))

    def _present(self, type_: GraphQLOutputType, nodes: list[FieldNode]) -> Render:
        if is_leaf_type(type_):
            return render_of(type_)
        if is_list_type(type_):
            return _of_list(self.value(type_.of_type, nodes))
        if isinstance(type_, GraphQLObjectType):
            return self._object(type_, nodes)
        raise Ineligible(str(type_))

    def _object(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> Render:
        class_ = _class_of(type_)
        attributes: list[str] = []
        renders: list[Render] = []
        members: list[str] = []
        for name, same in self._collector.fields(type_.name, selection_sets(nodes)).items():
            field_name = same[0].name.value
            if field_name == "__typename":
                members.append(f'"{name}":"{type_.name}"')
                continue
            field = type_.fields[field_name]
            attributes.append(_attribute_of(field, same))
            renders.append(self.value(field.type, same))
            members.append(f'"{name}":%s')
        return _of_object(class_, attributes, renders, f"{{{','.join(members)}}}")


def _class_of(type_: GraphQLObjectType) -> type[object]:
    definition = type_.extensions.get("strawberry-definition")
    class_ = getattr(definition, "origin", None)
    # Of a type with interfaces, Strawberry checks the class of each value, as a projection does.
    has_own_check = type_.is_type_of is not None and not type_.interfaces
    if has_own_check or not isinstance(class_, type):
        raise Ineligible(type_.name)
    return class_


def _attribute_of(field: GraphQLField, nodes: Sequence[FieldNode]) -> str:
    """The attribute that Strawberry reads for a field without a resolver, or with ``WITHOUT_ARGUMENTS``.

    Raises:
        Ineligible: It has another resolver, arguments, permissions or extensions, or Strawberry resolves plain fields
            in a new way.
    """
    definition = field.extensions.get("strawberry-definition")
    if (attribute := getattr(definition, "metadata", {}).get(WITHOUT_ARGUMENTS)) is not None:
        if any(node.arguments for node in nodes):
            raise Ineligible("a field with arguments")
        return str(attribute)
    reads_attribute = getattr(field.resolve, "__name__", "") == "_get_basic_result"
    if definition is None or not reads_attribute or getattr(definition, "default_resolver", None) is not getattr:
        raise Ineligible("a field with a resolver")
    return str(definition.python_name)


def _or_null(render: Render) -> Render:
    return lambda value: "null" if value is None else render(value)


def _of_list(render: Render) -> Render:
    def render_list(value: object) -> str:
        if not isinstance(value, list | tuple):
            raise NotProjected
        return f"[{','.join([render(one) for one in value])}]"

    return render_list


def _of_object(class_: type[object], attributes: list[str], renders: list[Render], template: str) -> Render:
    values: Callable[[object], tuple[object, ...]]
    if not attributes:
        values = _nothing
    elif len(attributes) == 1:
        values = attrgetter(attributes[0], attributes[0])  # a single name would return no tuple
    else:
        values = attrgetter(*attributes)

    def render_object(value: object) -> str:
        if type(value) is not class_:
            raise NotProjected
        return template % tuple([render(one) for render, one in zip(renders, values(value), strict=False)])

    return render_object


def _nothing(_value: object) -> tuple[object, ...]:
    return ()
