/**
 * @generated SignedSource<<bc5c36c4bf4c117cc942ec3a20df1944>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import { ReaderFragment } from 'relay-runtime';
import { FragmentRefs } from "relay-runtime";
export type CurrentSync_dashboard$data = {
  readonly currentSync: {
    readonly currentStep: string;
    readonly id: string;
    readonly progressPercentage: number;
  } | null | undefined;
  readonly syncAvailable: boolean;
  readonly " $fragmentType": "CurrentSync_dashboard";
};
export type CurrentSync_dashboard$key = {
  readonly " $data"?: CurrentSync_dashboard$data;
  readonly " $fragmentSpreads": FragmentRefs<"CurrentSync_dashboard">;
};

const node: ReaderFragment = {
  "argumentDefinitions": [],
  "kind": "Fragment",
  "metadata": null,
  "name": "CurrentSync_dashboard",
  "selections": [
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "syncAvailable",
      "storageKey": null
    },
    {
      "alias": null,
      "args": null,
      "concreteType": "SyncStatus",
      "kind": "LinkedField",
      "name": "currentSync",
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
          "name": "progressPercentage",
          "storageKey": null
        },
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "currentStep",
          "storageKey": null
        }
      ],
      "storageKey": null
    }
  ],
  "type": "Dashboard",
  "abstractKey": null
};

(node as any).hash = "bff2fb320fd51a465e4622f2ac7f8915";

export default node;
