// jsdom's WebSocket hands Node's events to its own window and fails; the one of `ws` speaks the same protocol.

import { WebSocket } from 'ws';

Object.assign(globalThis, { WebSocket });
