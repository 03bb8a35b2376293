/**
 * @generated SignedSource<<05e7738ed9a251f0493fbae52a817756>>
 * @relayHash 28cb287641b1b6d2a4a5ce8f587f687f
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

// @relayRequestID 4c50d1684986919e0ac91e6d7801a5af37137e781f7eedb08ec151f84e436208

import { ConcreteRequest } from 'relay-runtime';
import { FragmentRefs } from "relay-runtime";
export type PatientList = "ACTIVE" | "ALL" | "CANCELLED_NOT_REBOOKED" | "FIRST_VISIT_ONLY" | "LAPSED" | "MISSED_NOT_REBOOKED" | "NO_FUTURE_APPOINTMENT" | "RECENT" | "UPCOMING" | "%future added value";
export type PatientsQuery$variables = {
  organizationId: string;
};
export type PatientsQuery$data = {
  readonly patientLists: ReadonlyArray<{
    readonly list: PatientList;
    readonly title: string;
  }>;
  readonly " $fragmentSpreads": FragmentRefs<"Patients_query">;
};
export type PatientsQuery = {
  response: PatientsQuery$data;
  variables: PatientsQuery$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "organizationId"
  }
],
v1 = {
  "kind": "Variable",
  "name": "organizationId",
  "variableName": "organizationId"
},
v2 = {
  "alias": null,
  "args": [
    (v1/*:: as any*/)
  ],
  "concreteType": "PatientListSummary",
  "kind": "LinkedField",
  "name": "patientLists",
  "plural": true,
  "selections": [
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "list",
      "storageKey": null
    },
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "title",
      "storageKey": null
    }
  ],
  "storageKey": null
},
v3 = {
  "kind": "Literal",
  "name": "list",
  "value": "ACTIVE"
};
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "PatientsQuery",
    "selections": [
      (v2/*:: as any*/),
      {
        "args": null,
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
    "name": "PatientsQuery",
    "selections": [
      (v2/*:: as any*/),
      {
        "alias": null,
        "args": [
          {
            "kind": "Literal",
            "name": "first",
            "value": 10
          },
          (v3/*:: as any*/),
          (v1/*:: as any*/)
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
                  (v3/*:: as any*/)
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
                "storageKey": "why(list:\"ACTIVE\")"
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
    "id": "4c50d1684986919e0ac91e6d7801a5af37137e781f7eedb08ec151f84e436208",
    "metadata": {},
    "name": "PatientsQuery",
    "operationKind": "query",
    "text": null
  }
};
})();

(node as any).hash = "68b31a221e076aa43020a97ca00324dd";

export default node;
