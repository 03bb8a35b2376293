// Lints a schema with graphql-eslint's recommended rules for schemas and those for Relay. Prints the names of the rules,
// and each finding with its rule and its place in the schema, such as `Dashboard.connection`, as JSON.
// Usage: node lint-schema.mjs SCHEMA PART… (the types without an id of their own)

import { readFileSync } from 'node:fs';

import graphqlPlugin from '@graphql-eslint/eslint-plugin';
import { Linter } from 'eslint';

const PREFIX = '@graphql-eslint/';
const TYPE = /^(?:extend )?(?:type|interface|enum|union|input|scalar) (\w+)/;
const [path, ...parts] = process.argv.slice(2);
const options = {
  // A part of another object is cached within it.
  'strict-id-in-types': { exceptions: { types: parts } },
  // A list that is always read whole, such as the eight steps of a sync, needs no pages.
  'relay-edge-types': { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false },
  // Changes are read forwards only: a client that has missed some continues after its last cursor.
  'relay-arguments': { includeBoth: false },
};

const { configs, parser } = graphqlPlugin;
const rules = { ...configs['flat/schema-recommended'].rules, ...configs['flat/schema-relay'].rules };
for (const [name, option] of Object.entries(options)) {
  if (!rules[PREFIX + name]) throw new Error(`There is no rule ${name} any more.`);
  rules[PREFIX + name] = ['error', option];
}
const config = {
  files: ['**/*.graphql'],
  languageOptions: { parser, parserOptions: { graphQLConfig: { schema: path } } },
  plugins: { '@graphql-eslint': graphqlPlugin },
  rules,
};
const text = readFileSync(path, 'utf8');
const lines = text.split('\n');

/** The type, and its field, value or argument, that a line is of or describes. */
function placeOf(number) {
  const type = lines.slice(0, number).findLast((line) => TYPE.test(line))?.match(TYPE)[1] ?? '';
  const member = lines[number - 1]?.match(/^  +(\w+)/)?.[1];
  return member ? `${type}.${member}` : type;
}

const findings = new Linter().verify(text, [config], 'schema.graphql').map(({ ruleId, line, message }) => ({
  rule: ruleId?.replace(PREFIX, '') ?? null,
  place: placeOf(line ?? 1),
  message,
}));
console.log(JSON.stringify({ rules: Object.keys(rules).map((rule) => rule.replace(PREFIX, '')), findings }));
