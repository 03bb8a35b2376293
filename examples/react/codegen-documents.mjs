// A plugin of graphql-codegen: each operation as a string that knows the types of its variables and its result. The client
// preset does the same, but its file imports a package, which every app that copies the component would have to install.

import { concatAST, Kind, print, visit } from 'graphql';

export function plugin(_schema, documents) {
  const { definitions } = concatAST(documents.map(({ document }) => document));
  const fragments = new Map(definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION).map((one) => [one.name.value, one]));

  /** `definition`, after the fragments that it needs. */
  function whole(definition, names = new Set()) {
    visit(definition, {
      FragmentSpread({ name: { value } }) {
        if (!names.has(value)) whole(fragments.get(value), names.add(value));
      },
    });
    return [...[...names].map((name) => fragments.get(name)), definition].map(print).join('\n\n');
  }

  const operations = definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  const content = [
    '/** The text of an operation, with the types of its result and its variables. */',
    'export type Operation<Data, Variables> = string & { readonly __types?: (variables: Variables) => Data };',
    ...operations.map((operation) => {
      const name = operation.name.value;
      const result = `${name}${operation.operation[0].toUpperCase()}${operation.operation.slice(1)}`;
      return `\nexport const ${name}Document = \`\n${whole(operation)}\n\` as Operation<${result}, ${result}Variables>;`;
    }),
  ];
  return { prepend: ['/* eslint-disable */', '// Written by graphql-codegen; see codegen.ts beside this folder.\n'], content: `${content.join('\n')}\n` };
}
