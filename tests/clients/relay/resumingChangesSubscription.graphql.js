/**
 * @generated SignedSource<<df37b2f72b74575db7f20086e603dc93>>
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
  "name": "organizationId"
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
        "name": "organizationId",
        "variableName": "organizationId"
      }
    ],
    "concreteType": "PatientChange",
    "kind": "LinkedField",
    "name": "patientsChanged",
    "plural": false,
    "selections": [
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "cursor",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "name",
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
    "name": "resumingChangesSubscription",
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
    "name": "resumingChangesSubscription",
    "selections": (v2/*:: as any*/)
  },
  "params": {
    "cacheID": "5debffcd55f3f8ee1b8bf37cc1c01331",
    "id": null,
    "metadata": {},
    "name": "resumingChangesSubscription",
    "operationKind": "subscription",
    "text": "subscription resumingChangesSubscription(\n  $organizationId: ID!\n  $after: String\n) {\n  patientsChanged(organizationId: $organizationId, after: $after) {\n    cursor\n    name\n  }\n}\n"
  }
};
})();

node.hash = "4549438e3962b875e38f59af342bd716";

export default node;
