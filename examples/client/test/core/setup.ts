// Browsers have websockets, and Node.js only from version 22 on.

import { WebSocket } from 'ws';

globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
