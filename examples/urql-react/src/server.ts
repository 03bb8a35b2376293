// src/server.ts
const server: string = import.meta.env.VITE_ROUTIQ_URL ?? 'http://localhost:8000';

export const GRAPHQL_URL = `${server.replace(/\/$/, '')}/graphql`;
export const SOCKET_URL = GRAPHQL_URL.replace(/^http/, 'ws'); // wss: for https:
