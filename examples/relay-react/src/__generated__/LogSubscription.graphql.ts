/**
 * @generated SignedSource<<464a10853b3d23cf9aafcc6df2b7addd>>
 * @relayHash 308a6f049f50fb20c6b722a7f6f17444
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

// @relayRequestID d428c26320dfe4c0b50fb4b481be5241ae1bc8c4a1ae380b12d12ab49c1f549a

import { ConcreteRequest } from 'relay-runtime';
export type LogSubscription$variables = {
  after?: number | null | undefined;
  connections: ReadonlyArray<string>;
  syncId: string;
};
export type LogSubscription$data = {
  readonly syncLog: {
    readonly id: string;
    readonly message: string;
    readonly seq: number;
  };
};
export type LogSubscription = {
  response: LogSubscription$data;
  variables: LogSubscription$variables;
};

const node: ConcreteRequest = (function(){
var v0 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "after"
},
v1 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "connections"
},
v2 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "syncId"
},
v3 = [
  {
    "kind": "Variable",
    "name": "after",
    "variableName": "after"
  },
  {
    "kind": "Variable",
    "name": "syncId",
    "variableName": "syncId"
  }
],
v4 = {
  "alias": null,
  "args": (v3/*:: as any*/),
  "concreteType": "SyncLogEntry",
  "kind": "LinkedField",
  "name": "syncLog",
  "plural": false,
  "selections": [
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "id",
      "storageKey": null
    },
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "seq",
      "storageKey": null
    },
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "message",
      "storageKey": null
    }
  ],
  "storageKey": null
};
return {
  "fragment": {
    "argumentDefinitions": [
      (v0/*:: as any*/),
      (v1/*:: as any*/),
      (v2/*:: as any*/)
    ],
    "kind": "Fragment",
    "metadata": null,
    "name": "LogSubscription",
    "selections": [
      (v4/*:: as any*/)
    ],
    "type": "Subscription",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": [
      (v2/*:: as any*/),
      (v0/*:: as any*/),
      (v1/*:: as any*/)
    ],
    "kind": "Operation",
    "name": "LogSubscription",
    "selections": [
      (v4/*:: as any*/),
      {
        "alias": null,
        "args": (v3/*:: as any*/),
        "filters": null,
        "handle": "appendNode",
        "key": "",
        "kind": "LinkedHandle",
        "name": "syncLog",
        "handleArgs": [
          {
            "kind": "Variable",
            "name": "connections",
            "variableName": "connections"
          },
          {
            "kind": "Literal",
            "name": "edgeTypeName",
            "value": "SyncLogEdge"
          }
        ]
      }
    ]
  },
  "params": {
    "id": "d428c26320dfe4c0b50fb4b481be5241ae1bc8c4a1ae380b12d12ab49c1f549a",
    "metadata": {},
    "name": "LogSubscription",
    "operationKind": "subscription",
    "text": null
  }
};
})();

(node as any).hash = "cf861009e5e08b4b2a3e4d0d09279d1c";

export default node;
