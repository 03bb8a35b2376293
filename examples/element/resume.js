// src/resume/index.ts
var CURSORS = { syncLog: "seq", patientsChanged: "cursor" };
var MOST_CURSORS = 1e4;
function resumable(client, cursors = {}) {
  const known = { ...CURSORS, ...cursors };
  return {
    ...client,
    subscribe(operation, sink) {
      if (!canResume(operation)) return client.subscribe(operation, sink);
      const followed = follow(operation, known);
      return client.subscribe(followed.operation, {
        next: (result) => followed.isNew(result) && sink.next(result),
        error: (problem) => sink.error(problem),
        complete: () => sink.complete()
      });
    },
    iterate(operation) {
      if (!canResume(operation)) return client.iterate(operation);
      const followed = follow(operation, known);
      const events = client.iterate(followed.operation);
      const next = events.next.bind(events);
      events.next = async () => {
        for (; ; ) {
          const event = await next();
          if (event.done || followed.isNew(event.value)) return event;
        }
      };
      return events;
    }
  };
}
var canResume = ({ query }) => !query || /\bsubscription\b[^{]*\$after\b/.test(query);
var aliased = ({ query }, alias) => new RegExp(`\\b${alias}\\s*:\\s*(\\w+)\\s*\\(`).exec(query ?? "")?.[1] ?? "";
function follow(operation, cursors) {
  let newest;
  let hasWarned = false;
  const seen = /* @__PURE__ */ new Set();
  return {
    operation: {
      ...operation,
      get variables() {
        return newest === void 0 ? operation.variables : { ...operation.variables, after: newest };
      }
    },
    isNew(result) {
      const { data } = result;
      for (const [field, event] of Object.entries(data ?? {})) {
        const name = cursors[field] ?? cursors[aliased(operation, field)];
        if (!event || !name) continue;
        const cursor = event[name];
        if (cursor === void 0) {
          if (!hasWarned) console.warn(`${field} can't resume after a cut, and repeats its events. Select its field ${name}.`);
          hasWarned = true;
        } else if (seen.has(cursor)) {
          return false;
        } else {
          newest = cursor;
          seen.add(cursor);
          if (seen.size > MOST_CURSORS) seen.delete(seen.values().next().value);
        }
      }
      return true;
    }
  };
}
export {
  resumable
};
