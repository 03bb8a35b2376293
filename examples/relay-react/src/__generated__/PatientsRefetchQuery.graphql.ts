/**
 * @generated SignedSource<<41ecb1a6e97fe5dffebccbcc36ba7931>>
 * @relayHash da09d57a065e66f7670945c7d9ddd585
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

// @relayRequestID e88d1fb8f8a46c3f9671fedaaee00463793a4a5bdb3ab35d84c00da7c10decc2

import { ConcreteRequest } from 'relay-runtime';
import { FragmentRefs } from "relay-runtime";
export type PatientList = "ACTIVE" | "ALL" | "CANCELLED_NOT_REBOOKED" | "FIRST_VISIT_ONLY" | "LAPSED" | "MISSED_NOT_REBOOKED" | "NO_FUTURE_APPOINTMENT" | "RECENT" | "UPCOMING" | "%future added value";
export type PatientsRefetchQuery$variables = {
  list?: PatientList | null | undefined;
  organizationId: string;
  search?: string | null | undefined;
};
export type PatientsRefetchQuery$data = {
  readonly " $fragmentSpreads": FragmentRefs<"Patients_query">;
};
export type PatientsRefetchQuery = {
  response: PatientsRefetchQuery$data;
  variables: PatientsRefetchQuery$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": "ACTIVE",
    "kind": "LocalArgument",
    "name": "list"
  },
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "organizationId"
  },
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "search"
  }
],
v1 = {
  "kind": "Variable",
  "name": "list",
  "variableName": "list"
},
v2 = {
  "kind": "Variable",
  "name": "search",
  "variableName": "search"
};
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "PatientsRefetchQuery",
    "selections": [
      {
        "args": [
          (v1/*:: as any*/),
          (v2/*:: as any*/)
        ],
        "kind": "FragmentSpread",
        "name": "Patients_query"
      }
    ],
    "type": "Query",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "PatientsRefetchQuery",
    "selections": [
      {
        "alias": null,
        "args": [
          {
            "kind": "Literal",
            "name": "first",
            "value": 10
          },
          (v1/*:: as any*/),
          {
            "kind": "Variable",
            "name": "organizationId",
            "variableName": "organizationId"
          },
          (v2/*:: as any*/)
        ],
        "concreteType": "PatientConnection",
        "kind": "LinkedField",
        "name": "patients",
        "plural": false,
        "selections": [
          {
            "alias": null,
            "args": null,
            "kind": "ScalarField",
            "name": "asOf",
            "storageKey": null
          },
          {
            "alias": null,
            "args": null,
            "kind": "ScalarField",
            "name": "totalCount",
            "storageKey": null
          },
          {
            "alias": null,
            "args": null,
            "concreteType": "Patient",
            "kind": "LinkedField",
            "name": "nodes",
            "plural": true,
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
                "name": "name",
                "storageKey": null
              },
              {
                "alias": null,
                "args": [
                  (v1/*:: as any*/)
                ],
                "concreteType": "PatientReason",
                "kind": "LinkedField",
                "name": "why",
                "plural": false,
                "selections": [
                  {
                    "alias": null,
                    "args": null,
                    "kind": "ScalarField",
                    "name": "sentence",
                    "storageKey": null
                  }
                ],
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
    "id": "e88d1fb8f8a46c3f9671fedaaee00463793a4a5bdb3ab35d84c00da7c10decc2",
    "metadata": {},
    "name": "PatientsRefetchQuery",
    "operationKind": "query",
    "text": null
  }
};
})();

(node as any).hash = "ea49081f0c5bed9efd450ecd3cf29a91";

export default node;
