/**
 * @generated SignedSource<<120a1ef2bc8ef3cf0d7276277c27c31a>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import { ReaderFragment } from 'relay-runtime';
import { FragmentRefs } from "relay-runtime";
export type Clinic_dashboard$data = {
  readonly currentSync: {
    readonly id: string;
  } | null | undefined;
  readonly lastSuccessfulSync: {
    readonly id: string;
  } | null | undefined;
  readonly lastSync: {
    readonly id: string;
  } | null | undefined;
  readonly patientStats: {
    readonly activePatients: number;
    readonly patientsInCliniko: number;
  };
  readonly " $fragmentSpreads": FragmentRefs<"CurrentSync_dashboard">;
  readonly " $fragmentType": "Clinic_dashboard";
};
export type Clinic_dashboard$key = {
  readonly " $data"?: Clinic_dashboard$data;
  readonly " $fragmentSpreads": FragmentRefs<"Clinic_dashboard">;
};

const node: ReaderFragment = (function(){
var v0 = [
  {
    "alias": null,
    "args": null,
    "kind": "ScalarField",
    "name": "id",
    "storageKey": null
  }
];
return {
  "argumentDefinitions": [],
  "kind": "Fragment",
  "metadata": null,
  "name": "Clinic_dashboard",
  "selections": [
    {
      "alias": null,
      "args": null,
      "concreteType": "PatientStats",
      "kind": "LinkedField",
      "name": "patientStats",
      "plural": false,
      "selections": [
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "activePatients",
          "storageKey": null
        },
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "patientsInCliniko",
          "storageKey": null
        }
      ],
      "storageKey": null
    },
    {
      "alias": null,
      "args": null,
      "concreteType": "SyncStatus",
      "kind": "LinkedField",
      "name": "currentSync",
      "plural": false,
      "selections": (v0/*:: as any*/),
      "storageKey": null
    },
    {
      "alias": null,
      "args": null,
      "concreteType": "SyncStatus",
      "kind": "LinkedField",
      "name": "lastSync",
      "plural": false,
      "selections": (v0/*:: as any*/),
      "storageKey": null
    },
    {
      "alias": null,
      "args": null,
      "concreteType": "SyncStatus",
      "kind": "LinkedField",
      "name": "lastSuccessfulSync",
      "plural": false,
      "selections": (v0/*:: as any*/),
      "storageKey": null
    },
    {
      "args": null,
      "kind": "FragmentSpread",
      "name": "CurrentSync_dashboard"
    }
  ],
  "type": "Dashboard",
  "abstractKey": null
};
})();

(node as any).hash = "1f71c427464858129e37f46904461505";

export default node;
