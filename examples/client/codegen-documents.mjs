// A plugin of graphql-codegen: each operation as a string that knows the types of its variables and its result. The client
// preset does the same, but its file imports a package, which would be a large part of the bundles. Each fragment and each
// operation is written once and in one line, as browsers load them. With `manifest` it writes the texts by their SHA-256
// instead, as the server reads them.

import { createHash } from 'node:crypto';

import { concatAST, Kind, print, stripIgnoredCharacters, visit } from 'graphql';

export function plugin(_schema, documents, { manifest = false }) {
  const { definitions } = concatAST(documents.map(({ document }) => document));
  const fragments = new Map(definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION).map((one) => [one.name.value, one]));

  /** The names of the fragments that `definition` needs, each after those that it needs itself. */
  function needs(definition, names = new Set()) {
    visit(definition, {
      FragmentSpread({ name: { value } }) {
        if (names.has(value)) return;
        needs(fragments.get(value), names);
        names.add(value);
      },
    });
    return names;
  }

  const textOf = (definition) => stripIgnoredCharacters(print(definition));
  const operations = definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (manifest) {
    const whole = operations.map((one) => [...[...needs(one)].map((name) => textOf(fragments.get(name))), textOf(one)].join(' '));
    const entries = whole.map((text) => [createHash('sha256').update(text).digest('hex'), text]);
    return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
  }
  const inOrder = new Set();
  for (const fragment of fragments.values()) {
    for (const name of needs(fragment)) inOrder.add(name);
    inOrder.add(fragment.name.value);
  }
  const content = [
    '/** The text of an operation, with the types of its result and its variables. */',
    'export type Operation<Data, Variables> = string & { readonly __types?: (variables: Variables) => Data };\n',
    ...[...inOrder].map((name) => `const ${name}Text = \`${textOf(fragments.get(name))}\`;`),
    ...operations.map((operation) => {
      const name = operation.name.value;
      const result = `${name}${operation.operation[0].toUpperCase()}${operation.operation.slice(1)}`;
      const text = [...[...needs(operation)].map((one) => `\${${one}Text}`), textOf(operation)].join(' ');
      return `\nexport const ${name}Document = \`${text}\` as Operation<${result}, ${result}Variables>;`;
    }),
  ];
  return { prepend: ['/* eslint-disable */', '// Written by graphql-codegen; see codegen.ts.\n'], content: `${content.join('\n')}\n` };
}
