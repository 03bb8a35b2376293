// Names what in a newer schema breaks clients of an older one, and ends with 1 if there is anything.
// Usage: node compare-schemas.mjs OLD.graphql NEW.graphql

import { readFileSync } from 'node:fs';

import { CriticalityLevel, DiffRule, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

const [older, newer] = process.argv.slice(2).map((path) => buildSchema(readFileSync(path, 'utf8')));

// What was marked with @deprecated has been announced, and may go.
const changes = await diff(older, newer, [DiffRule.suppressRemovalOfDeprecatedField]);
const breaking = changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);
for (const { message } of breaking) console.log(message);
process.exitCode = breaking.length ? 1 : 0;
