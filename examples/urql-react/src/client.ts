// src/client.ts
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { Client, subscriptionExchange } from 'urql';
import { GRAPHQL_URL } from './server';
import { socket } from './socket';

const partOfItsParent = () => null; // these types have no id that is unique
const keys = {
  CancelSyncPayload: partOfItsParent,
  CancelSyncProblem: partOfItsParent,
  ChangeWebhookPayload: partOfItsParent,
  CompletionRange: partOfItsParent,
  ConnectionPayload: partOfItsParent,
  ConnectionProblem: partOfItsParent,
  Freshness: partOfItsParent,
  ListReceipt: partOfItsParent,
  LiveUpdates: partOfItsParent,
  NextSync: partOfItsParent,
  OrganizationList: partOfItsParent,
  PageInfo: partOfItsParent,
  PatientActivity: partOfItsParent,
  PatientAppointment: partOfItsParent,
  PatientChangeConnection: partOfItsParent,
  PatientChangeEdge: partOfItsParent,
  PatientConnection: partOfItsParent,
  PatientEdge: partOfItsParent,
  PatientListSummary: partOfItsParent,
  PatientReason: partOfItsParent,
  PatientStats: partOfItsParent,
  Practitioner: partOfItsParent, // its id is Cliniko's, which two organizations may share
  RegisterWebhookPayload: partOfItsParent,
  RemoveWebhookPayload: partOfItsParent,
  RotateWebhookSecretPayload: partOfItsParent,
  StartSyncPayload: partOfItsParent,
  StartSyncProblem: partOfItsParent,
  StepTiming: partOfItsParent,
  StreamToken: partOfItsParent,
  SyncActor: partOfItsParent,
  SyncChangeCounts: partOfItsParent,
  SyncConnection: partOfItsParent,
  SyncEdge: partOfItsParent,
  SyncFailure: partOfItsParent,
  SyncHistory: partOfItsParent,
  SyncLogConnection: partOfItsParent,
  SyncLogEdge: partOfItsParent,
  SyncReceipt: partOfItsParent,
  UnreadableRow: partOfItsParent, // its id is Cliniko's, which two lists may share
  WebhookAttempt: partOfItsParent,
  WebhookDeliveryConnection: partOfItsParent,
  WebhookDeliveryEdge: partOfItsParent,
  WebhookDeliveryPayload: partOfItsParent,
  WebhookProblem: partOfItsParent,
};

const inPages = relayPagination({ mergeMode: 'outwards' }); // what `before` reads comes before what `after` reads
const resolvers = {
  Query: { historyConnection: inPages, patients: inPages },
  SyncStatus: { logConnection: inPages },
  Webhook: { deliveries: inPages },
};

export const client = new Client({
  url: GRAPHQL_URL, // not used: all operations go over the websocket
  preferGetMethod: false,
  exchanges: [
    cacheExchange({ keys, resolvers }),
    subscriptionExchange({
      enableAllOperations: true,
      forwardSubscription: (operation) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...operation, query: operation.query ?? '' }, sink) }),
      }),
    }),
  ],
});
