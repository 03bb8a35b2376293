/**
 * @generated SignedSource<<ba0ada9954a77b573534678f722de976>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import { ReaderFragment } from 'relay-runtime';
export type SyncState = "ANALYZING" | "CANCELLED" | "COMPLETED" | "FAILED" | "FETCHING_APPOINTMENTS" | "FETCHING_PATIENTS" | "IDLE" | "STARTING" | "STORING" | "%future added value";
import { FragmentRefs } from "relay-runtime";
export type History_sync$data = {
  readonly failure: {
    readonly message: string;
  } | null | undefined;
  readonly progressPercentage: number;
  readonly startedAt: string;
  readonly status: SyncState;
  readonly " $fragmentType": "History_sync";
};
export type History_sync$key = {
  readonly " $data"?: History_sync$data;
  readonly " $fragmentSpreads": FragmentRefs<"History_sync">;
};

const node: ReaderFragment = {
  "argumentDefinitions": [],
  "kind": "Fragment",
  "metadata": null,
  "name": "History_sync",
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
  ],
  "type": "SyncStatus",
  "abstractKey": null
};

(node as any).hash = "577d3cf67aea95914880efa2e677c6e4";

export default node;
