/**
 * @generated SignedSource<<a0b2ae9d9378ada9c28b380d412df699>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import { ReaderFragment } from 'relay-runtime';
import { FragmentRefs } from "relay-runtime";
export type Patients_query$data = {
  readonly patients: {
    readonly asOf: string;
    readonly nodes: ReadonlyArray<{
      readonly id: string;
      readonly name: string;
      readonly why: {
        readonly sentence: string;
      };
    }>;
    readonly totalCount: number;
  };
  readonly " $fragmentType": "Patients_query";
};
export type Patients_query$key = {
  readonly " $data"?: Patients_query$data;
  readonly " $fragmentSpreads": FragmentRefs<"Patients_query">;
};

import PatientsRefetchQuery_graphql from './PatientsRefetchQuery.graphql';

const node: ReaderFragment = (function(){
var v0 = {
  "kind": "Variable",
  "name": "list",
  "variableName": "list"
};
return {
  "argumentDefinitions": [
    {
      "defaultValue": "ACTIVE",
      "kind": "LocalArgument",
      "name": "list"
    },
    {
      "kind": "RootArgument",
      "name": "organizationId"
    },
    {
      "defaultValue": null,
      "kind": "LocalArgument",
      "name": "search"
    }
  ],
  "kind": "Fragment",
  "metadata": {
    "refetch": {
      "connection": null,
      "fragmentPathInResult": [],
      "operation": PatientsRefetchQuery_graphql
    }
  },
  "name": "Patients_query",
  "selections": [
    {
      "alias": null,
      "args": [
        {
          "kind": "Literal",
          "name": "first",
          "value": 10
        },
        (v0/*:: as any*/),
        {
          "kind": "Variable",
          "name": "organizationId",
          "variableName": "organizationId"
        },
        {
          "kind": "Variable",
          "name": "search",
          "variableName": "search"
        }
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
                (v0/*:: as any*/)
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
  ],
  "type": "Query",
  "abstractKey": null
};
})();

(node as any).hash = "ea49081f0c5bed9efd450ecd3cf29a91";

export default node;
