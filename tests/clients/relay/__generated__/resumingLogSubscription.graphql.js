/**
 * @generated SignedSource<<d490b0c6f51bd2c874de3e61dadbb265>>
 * @lightSyntaxTransform
 */

/* eslint-disable */

'use strict';

var node = (function(){
var v0 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "after"
},
v1 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "syncId"
},
v2 = [
  {
    "alias": null,
    "args": [
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
  }
];
return {
  "fragment": {
    "argumentDefinitions": [
      (v0/*:: as any*/),
      (v1/*:: as any*/)
    ],
    "kind": "Fragment",
    "metadata": null,
    "name": "resumingLogSubscription",
    "selections": (v2/*:: as any*/),
    "type": "Subscription",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": [
      (v1/*:: as any*/),
      (v0/*:: as any*/)
    ],
    "kind": "Operation",
    "name": "resumingLogSubscription",
    "selections": (v2/*:: as any*/)
  },
  "params": {
    "cacheID": "6e6ba5a1f2c793eee9aa535319c77323",
    "id": null,
    "metadata": {},
    "name": "resumingLogSubscription",
    "operationKind": "subscription",
    "text": "subscription resumingLogSubscription(\n  $syncId: ID!\n  $after: Int\n) {\n  syncLog(syncId: $syncId, after: $after) {\n    id\n    seq\n    message\n  }\n}\n"
  }
};
})();

node.hash = "55666175d7dc9d69d4222e30288e093a";

export default node;
