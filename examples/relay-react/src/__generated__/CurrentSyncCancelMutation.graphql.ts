/**
 * @generated SignedSource<<4c6fcb7c658ff810687d5b68c45c077b>>
 * @relayHash ff3b7f1e376451000de374aa238817af
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

// @relayRequestID e1e5d60dc3d32dcbf9c37d741ea18b9bbb0c1e19cdf0615569965eca85620790

import { ConcreteRequest } from 'relay-runtime';
import { FragmentRefs } from "relay-runtime";
export type CurrentSyncCancelMutation$variables = {
  syncId: string;
};
export type CurrentSyncCancelMutation$data = {
  readonly cancelSync: {
    readonly problem: {
      readonly message: string;
      readonly whatToDo: string;
    } | null | undefined;
    readonly sync: {
      readonly " $fragmentSpreads": FragmentRefs<"History_sync">;
    };
  };
};
export type CurrentSyncCancelMutation = {
  response: CurrentSyncCancelMutation$data;
  variables: CurrentSyncCancelMutation$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "syncId"
  }
],
v1 = [
  {
    "kind": "Variable",
    "name": "syncId",
    "variableName": "syncId"
  }
],
v2 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "message",
  "storageKey": null
},
v3 = {
  "alias": null,
  "args": null,
  "concreteType": "CancelSyncProblem",
  "kind": "LinkedField",
  "name": "problem",
  "plural": false,
  "selections": [
    (v2/*:: as any*/),
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
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "CurrentSyncCancelMutation",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "CancelSyncPayload",
        "kind": "LinkedField",
        "name": "cancelSync",
        "plural": false,
        "selections": [
          (v3/*:: as any*/),
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
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "CurrentSyncCancelMutation",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "CancelSyncPayload",
        "kind": "LinkedField",
        "name": "cancelSync",
        "plural": false,
        "selections": [
          (v3/*:: as any*/),
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
                  (v2/*:: as any*/)
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
          }
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "id": "e1e5d60dc3d32dcbf9c37d741ea18b9bbb0c1e19cdf0615569965eca85620790",
    "metadata": {},
    "name": "CurrentSyncCancelMutation",
    "operationKind": "mutation",
    "text": null
  }
};
})();

(node as any).hash = "5c206d52887abc88cf1f9abf7647ded0";

export default node;
