/**
 * @generated SignedSource<<f6492cc8f298fea8bf116c6fdfca5374>>
 * @relayHash 33bb4bc07580700eade414951b5183e4
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

// @relayRequestID 100aac827ab7fd892ff883001898f4dce0df1e0c3bb1e5f7b3b84e69c76128ae

import { ConcreteRequest } from 'relay-runtime';
import { FragmentRefs } from "relay-runtime";
export type CurrentSyncStartMutation$variables = {
  connections: ReadonlyArray<string>;
  organizationId: string;
};
export type CurrentSyncStartMutation$data = {
  readonly startSync: {
    readonly problem: {
      readonly message: string;
      readonly whatToDo: string;
    } | null | undefined;
    readonly sync: {
      readonly " $fragmentSpreads": FragmentRefs<"History_sync">;
    };
  };
};
export type CurrentSyncStartMutation = {
  response: CurrentSyncStartMutation$data;
  variables: CurrentSyncStartMutation$variables;
};

const node: ConcreteRequest = (function(){
var v0 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "connections"
},
v1 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "organizationId"
},
v2 = [
  {
    "kind": "Variable",
    "name": "organizationId",
    "variableName": "organizationId"
  }
],
v3 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "message",
  "storageKey": null
},
v4 = {
  "alias": null,
  "args": null,
  "concreteType": "StartSyncProblem",
  "kind": "LinkedField",
  "name": "problem",
  "plural": false,
  "selections": [
    (v3/*:: as any*/),
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "whatToDo",
      "storageKey": null
    }
  ],
  "storageKey": null
};
return {
  "fragment": {
    "argumentDefinitions": [
      (v0/*:: as any*/),
      (v1/*:: as any*/)
    ],
    "kind": "Fragment",
    "metadata": null,
    "name": "CurrentSyncStartMutation",
    "selections": [
      {
        "alias": null,
        "args": (v2/*:: as any*/),
        "concreteType": "StartSyncPayload",
        "kind": "LinkedField",
        "name": "startSync",
        "plural": false,
        "selections": [
          (v4/*:: as any*/),
          {
            "alias": null,
            "args": null,
            "concreteType": "SyncStatus",
            "kind": "LinkedField",
            "name": "sync",
            "plural": false,
            "selections": [
              {
                "args": null,
                "kind": "FragmentSpread",
                "name": "History_sync"
              }
            ],
            "storageKey": null
          }
        ],
        "storageKey": null
      }
    ],
    "type": "Mutation",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": [
      (v1/*:: as any*/),
      (v0/*:: as any*/)
    ],
    "kind": "Operation",
    "name": "CurrentSyncStartMutation",
    "selections": [
      {
        "alias": null,
        "args": (v2/*:: as any*/),
        "concreteType": "StartSyncPayload",
        "kind": "LinkedField",
        "name": "startSync",
        "plural": false,
        "selections": [
          (v4/*:: as any*/),
          {
            "alias": null,
            "args": null,
            "concreteType": "SyncStatus",
            "kind": "LinkedField",
            "name": "sync",
            "plural": false,
            "selections": [
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "startedAt",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "status",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "progressPercentage",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "concreteType": "SyncFailure",
                "kind": "LinkedField",
                "name": "failure",
                "plural": false,
                "selections": [
                  (v3/*:: as any*/)
                ],
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "id",
                "storageKey": null
              }
            ],
            "storageKey": null
          },
          {
            "alias": null,
            "args": null,
            "filters": null,
            "handle": "prependNode",
            "key": "",
            "kind": "LinkedHandle",
            "name": "sync",
            "handleArgs": [
              {
                "kind": "Variable",
                "name": "connections",
                "variableName": "connections"
              },
              {
                "kind": "Literal",
                "name": "edgeTypeName",
                "value": "SyncEdge"
              }
            ]
          }
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "id": "100aac827ab7fd892ff883001898f4dce0df1e0c3bb1e5f7b3b84e69c76128ae",
    "metadata": {},
    "name": "CurrentSyncStartMutation",
    "operationKind": "mutation",
    "text": null
  }
};
})();

(node as any).hash = "22662187477b49a354ce453abe194473";

export default node;
