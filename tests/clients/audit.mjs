// npm's audit of GraphQL over HTTP, by the specification's own authors: what it finds, one object for each rule.
import { auditServer } from 'graphql-http';

const results = await auditServer({ url: process.argv[2] });
console.log(JSON.stringify(results.map(({ id, name, status, reason }) => ({ id, name, status, reason }))));
