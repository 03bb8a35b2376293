/* eslint-disable */
// Written by graphql-codegen; see codegen.ts.

export type Maybe<T> = T | null;
export type InputMaybe<T> = Maybe<T>;
export type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
export type MakeOptional<T, K extends keyof T> = Omit<T, K> & { [SubKey in K]?: Maybe<T[SubKey]> };
export type MakeMaybe<T, K extends keyof T> = Omit<T, K> & { [SubKey in K]: Maybe<T[SubKey]> };
export type MakeEmpty<T extends { [key: string]: unknown }, K extends keyof T> = { [_ in K]?: never };
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
/** All built-in and custom scalars, mapped to their actual values */
export type Scalars = {
  ID: { input: string; output: string; }
  String: { input: string; output: string; }
  Boolean: { input: boolean; output: boolean; }
  Int: { input: number; output: number; }
  Float: { input: number; output: number; }
  /** A moment in UTC with milliseconds, for example `2024-12-22T14:30:22.123Z`. */
  DateTime: { input: string; output: string; }
};

/** Why `cancelSync` did not end the sync. Programs may branch on it. */
export type CancelSyncProblemCode =
  /** The sync had completed, failed or been cancelled before; `status` says which. */
  | 'ALREADY_ENDED';

/** Whether an organization's connection to Cliniko may be used. */
export type ConnectionState =
  /** Syncs use it. */
  | 'CONNECTED'
  /** It was switched off, and its API key removed. */
  | 'DISABLED'
  /** Cliniko did not accept the API key when it was last used; `problem` says why. */
  | 'NEEDS_ATTENTION';

/** The values of `extensions.code` of an error. An error means that the request, or a field of it, could not be executed; outcomes that have a result are the `problem` of a payload. */
export type ErrorCode =
  /** The document, a variable or an argument is not accepted, or the operation exceeds a limit of size, cost or time. The same request fails again: change it as the message says. */
  | 'BAD_USER_INPUT'
  /** The server executes trusted documents only, and does not know this one. Add it to a file of `ROUTIQ_DOCUMENTS` on the server. */
  | 'DOCUMENT_NOT_TRUSTED'
  /** The token may not reach this organization, or lacks the role for this. Use another token. */
  | 'FORBIDDEN'
  /** A fault of the server, or its database or its token issuer can't be reached. `extensions.reference` finds the reason in the server's log. A later retry may succeed. */
  | 'INTERNAL'
  /** The request names a document without its text, and the server does not have it. Send the text; Apollo Client and urql do so by themselves. */
  | 'PERSISTED_QUERY_NOT_SUPPORTED'
  /** Too many requests, subscriptions, starts or attempts within a time. Retry later. */
  | 'RATE_LIMITED'
  /** There is no sync with this id, or it is another organization's. The same request fails again. */
  | 'SYNC_NOT_FOUND'
  /** The token is missing, wrong, expired or revoked. Get a new one, and retry. */
  | 'UNAUTHENTICATED'
  /** There is no webhook or delivery with this id, or it is another organization's. The same request fails again. */
  | 'WEBHOOK_NOT_FOUND';

/** How the stored data of an organization is kept up to date. */
export type FreshnessMode =
  /** By looks at Cliniko every `lookIntervalSeconds`. A look that finds a change starts a sync of it; every 15 minutes a sync compares the lists. */
  | 'LIVE'
  /** By syncs that people start. */
  | 'ON_DEMAND'
  /** By the organization's schedule, too. */
  | 'SCHEDULED'
  /** Like LIVE, but by rarer looks, as no client has read the organization for five minutes. It is LIVE again a second or two after a query or subscription. */
  | 'UNWATCHED';

/** The severity of a log line. */
export type LogLevel =
  /** The reason why the sync failed. */
  | 'ERROR'
  /** Progress. */
  | 'INFO'
  /** A result. */
  | 'SUCCESS'
  /** Worth a look: the sync continues, or was ended on purpose. */
  | 'WARNING';

/** What happened to a patient. */
export type PatientChangeKind =
  /** The patient appeared in Cliniko. */
  | 'ADDED'
  /** The patient joined the list ACTIVE. */
  | 'BECAME_ACTIVE'
  /** The patient left the list ACTIVE. */
  | 'BECAME_INACTIVE'
  /** The patient's own data changed; `fields` names them. */
  | 'CHANGED'
  /** The patient joined or left another list. */
  | 'LISTS_CHANGED'
  /** Cliniko no longer has the patient. */
  | 'VANISHED';

/** A list of patients, at the moment of a sync's analysis. `patientLists` says how each is counted. A visit is a past appointment that was neither cancelled nor missed. */
export type PatientList =
  /** An appointment that is not cancelled in the recent or the upcoming window. */
  | 'ACTIVE'
  /** Patients whom Cliniko lists: neither archived, deleted nor merged away. */
  | 'ALL'
  /** The newest cancelled appointment is at most 30 days away, with no later booking. */
  | 'CANCELLED_NOT_REBOOKED'
  /** A new patient with one visit, 14 to 180 days ago, and nothing booked. */
  | 'FIRST_VISIT_ONLY'
  /** At least three visits, the last one longer ago than twice the usual interval, and nothing booked. */
  | 'LAPSED'
  /** The newest missed appointment is at most 30 days ago, with no later booking. */
  | 'MISSED_NOT_REBOOKED'
  /** A visit within the last weeks, 26 by default, and nothing booked. */
  | 'NO_FUTURE_APPOINTMENT'
  /** A visit in the recent window. */
  | 'RECENT'
  /** A booked appointment in the upcoming window. */
  | 'UPCOMING';

/** The order of a list. Patients without such an appointment come last in both directions. */
export type PatientSort =
  /** By the last visit, the oldest first. */
  | 'LAST_APPOINTMENT'
  /** By the last visit, the newest first. */
  | 'LAST_APPOINTMENT_DESC'
  /** By last name, then first name. Patients without a name come last. */
  | 'NAME'
  /** The same from the end. */
  | 'NAME_DESC'
  /** By the next booking, the soonest first. */
  | 'NEXT_APPOINTMENT'
  /** By the next booking, the latest first. */
  | 'NEXT_APPOINTMENT_DESC';

/** Why the sync in the answer to `startSync` will not do as asked. Programs may branch on it. */
export type StartSyncProblemCode =
  /** The organization's connection is switched off: the sync fails in step 2, CHECKING_CONFIG. */
  | 'CONNECTION_DISABLED'
  /** The organization has no connection to Cliniko: the sync fails in step 2, CHECKING_CONFIG. */
  | 'CONNECTION_MISSING'
  /** Cliniko did not accept the API key when it was last used. Unless that was corrected in Cliniko, the sync fails in step 3, CHECKING_CREDENTIALS. */
  | 'CONNECTION_NEEDS_ATTENTION'
  /** FULL was asked for, and a sync in another mode runs already. It keeps its mode, and may not read everything. */
  | 'OTHER_MODE_RUNS';

/** Who or what asked for the start or the end of a sync. */
export type SyncActorKind =
  /** A request to the API, by a person or a program. */
  | 'PERSON'
  /** The organization's schedule. */
  | 'SCHEDULE'
  /** A command of `routiq-gql` on the server. */
  | 'TERMINAL';

/** Why a sync ended without success. Programs may branch on it. */
export type SyncFailureCode =
  /** Cliniko serves the account at another address now. */
  | 'ACCOUNT_MOVED'
  /** A person cancelled it. */
  | 'CANCELLED'
  /** Cliniko's answer was inconsistent or malformed. */
  | 'CLINIKO_UNEXPECTED_ANSWER'
  /** Cliniko did not answer, or only with errors, in every attempt. */
  | 'CLINIKO_UNREACHABLE'
  /** Its connection is switched off. */
  | 'CONNECTION_DISABLED'
  /** The organization has no connection to Cliniko that can be used. */
  | 'CONNECTION_MISSING'
  /** An error of this server. */
  | 'INTERNAL'
  /** The API key's user may not read a list that a sync needs. */
  | 'KEY_LACKS_PERMISSION'
  /** Cliniko does not accept the API key. */
  | 'KEY_REFUSED'
  /** The sync exceeded its time limit. */
  | 'TIME_LIMIT';

/** How much a sync reads from Cliniko. */
export type SyncMode =
  /** The server chooses: FULL the first time, at regular intervals, and after a change of the key or of the stored history; otherwise INCREMENTAL. */
  | 'AUTO'
  /** Everything is read. */
  | 'FULL'
  /** Only changes since the last completed sync are read, and counts are compared with Cliniko. The sync becomes FULL where that is not possible; its log says why. */
  | 'INCREMENTAL'
  /** Nothing is read: the server has published what time alone has changed, such as a patient who is no longer active. Only as a result; `startSync` refuses it. */
  | 'TIME_ONLY';

/** The status of a sync; IDLE is that of an organization without a running one. */
export type SyncState =
  /** Active patients are identified: step 7. */
  | 'ANALYZING'
  /** Ended by a person; what was stored before is unchanged. */
  | 'CANCELLED'
  /** Ended, and everything is stored. */
  | 'COMPLETED'
  /** Ended without success; what was stored before is unchanged. */
  | 'FAILED'
  /** Appointments and their types are read from Cliniko: steps 5 and 6. */
  | 'FETCHING_APPOINTMENTS'
  /** Patients are read from Cliniko: step 4. */
  | 'FETCHING_PATIENTS'
  /** No sync is running. */
  | 'IDLE'
  /** The sync is being set up: steps 1 to 3. */
  | 'STARTING'
  /** Active patients are stored: step 8. */
  | 'STORING';

/** The eight steps of a sync, in their order. */
export type SyncStep =
  /** Step 7, 75 to 87 %: identifying active patients. */
  | 'ANALYZING'
  /** Step 2, 12 to 25 %: is there a connection? */
  | 'CHECKING_CONFIG'
  /** Step 3, 25 to 37 %: does Cliniko accept the API key? */
  | 'CHECKING_CREDENTIALS'
  /** Step 5, 50 to 62 %: reading appointments. */
  | 'FETCHING_APPOINTMENTS'
  /** Step 4, 37 to 50 %: reading patients. */
  | 'FETCHING_PATIENTS'
  /** Step 1, 0 to 12 %: setting up. */
  | 'INITIALIZING'
  /** Step 6, 62 to 75 %: reading appointment types. */
  | 'LOADING_TYPES'
  /** Step 8, 87 to 100 %: storing active patients, all at once. */
  | 'STORING';

/** Why a running sync waits before it resumes by itself. Waits of up to one second are not shown. */
export type WaitReason =
  /** A request to Cliniko failed, for example with a timeout or a server error, and is repeated. */
  | 'CLINIKO_RETRY'
  /** The server's own database can't be used at the moment: busy, full or unreachable. */
  | 'DATABASE'
  /** Cliniko's limit of requests per minute is reached, or this server spaces its requests to stay below it. */
  | 'RATE_LIMIT';

/** How far the delivery of an event to a webhook is. */
export type WebhookDeliveryState =
  /** The receiver has answered with a 2xx status. */
  | 'DELIVERED'
  /** It is not tried again by itself: `repeatWebhookDelivery`, or enable the webhook. */
  | 'FAILED'
  /** It waits for its first attempt or the next one. */
  | 'PENDING';

/** An event that is sent to webhooks. A request has the name in its second form. */
export type WebhookEvent =
  /** `connection.needs_attention`: Cliniko no longer accepts the organization's API key. */
  | 'CONNECTION_NEEDS_ATTENTION'
  /** `patient.became_active`: a patient has become active. */
  | 'PATIENT_BECAME_ACTIVE'
  /** `patient.became_inactive`: a patient is no longer active. */
  | 'PATIENT_BECAME_INACTIVE'
  /** `sync.completed`: a sync has published its results. */
  | 'SYNC_COMPLETED'
  /** `sync.failed`: a sync has failed or was cancelled. */
  | 'SYNC_FAILED'
  /** `webhook.test`: `testWebhook` was called. Only as a result; no webhook is registered for it. */
  | 'WEBHOOK_TEST';

/** Why a mutation of webhooks has changed nothing. Programs may branch on it. */
export type WebhookProblemCode =
  /** The delivery waits to be sent already. */
  | 'ALREADY_PENDING'
  /** The organization has as many webhooks as it may have: 10. */
  | 'LIMIT_REACHED'
  /** The webhook is disabled, so nothing is sent to it. */
  | 'WEBHOOK_DISABLED';

export type BookingFragment = { startsAt: string, type: string | null, practitioner: { name: string | null } | null };

export type RowFragment = { id: string, name: string, preferredFirstName: string | null, email: string | null, phone: string | null, visits: number, missedAppointments: number, cancelledAppointments: number, bookedAppointments: number, lastAppointment: { startsAt: string, type: string | null, practitioner: { name: string | null } | null } | null, nextAppointment: { startsAt: string, type: string | null, practitioner: { name: string | null } | null } | null, why: { sentence: string, changesAt: string | null } };

export type PatientPageFragment = { totalCount: number, asOf: string, analyzedAt: string, timeZone: string, nodes: Array<{ id: string, name: string, preferredFirstName: string | null, email: string | null, phone: string | null, visits: number, missedAppointments: number, cancelledAppointments: number, bookedAppointments: number, lastAppointment: { startsAt: string, type: string | null, practitioner: { name: string | null } | null } | null, nextAppointment: { startsAt: string, type: string | null, practitioner: { name: string | null } | null } | null, why: { sentence: string, changesAt: string | null } }> };

export type ListSummaryFragment = { list: PatientList, title: string, counting: string, totalCount: number, isReadable: boolean };

export type CountsFragment = { patients: number, becameActive: number, becameInactive: number };

export type ReadPastChangesQueryVariables = Exact<{
  organizationId: Scalars['ID']['input'];
  limit: Scalars['Int']['input'];
  after: InputMaybe<Scalars['String']['input']>;
}>;


export type ReadPastChangesQuery = { history: { nextCursor: string | null, recentSyncs: Array<{ syncId: string, changes: { patients: number, becameActive: number, becameInactive: number } | null }> } };

export type ReadLiveUpdatesQueryVariables = Exact<{
  organizationId: Scalars['ID']['input'];
  limit: Scalars['Int']['input'];
}>;


export type ReadLiveUpdatesQuery = { history: { liveUpdates: Array<{ afterSyncId: string, count: number, firstAt: string, lastAt: string, patientChanges: number }> } };

export type ReadModeQueryVariables = Exact<{
  organizationId: Scalars['ID']['input'];
}>;


export type ReadModeQuery = { dashboard: { freshness: { mode: FreshnessMode, lookIntervalSeconds: number | null } | null } };

export type ReadFailingWebhooksQueryVariables = Exact<{
  organizationId: Scalars['ID']['input'];
}>;


export type ReadFailingWebhooksQuery = { failingWebhooks: Array<{ id: string, url: string, isDisabled: boolean, failingSince: string | null }> };

export type ReadListsQueryVariables = Exact<{
  organizationId: Scalars['ID']['input'];
  asOf: Scalars['ID']['input'];
}>;


export type ReadListsQuery = { syncStatus: { changes: { patients: number, becameActive: number, becameInactive: number } | null } | null, patientLists: Array<{ list: PatientList, title: string, counting: string, totalCount: number, isReadable: boolean }> };

export type OpenListQueryVariables = Exact<{
  organizationId: Scalars['ID']['input'];
  list: PatientList;
  search: InputMaybe<Scalars['String']['input']>;
  practitionerId: InputMaybe<Scalars['ID']['input']>;
  sort: PatientSort;
  first: Scalars['Int']['input'];
  asOf: InputMaybe<Scalars['ID']['input']>;
}>;


export type OpenListQuery = { patients: { totalCount: number, asOf: string, analyzedAt: string, timeZone: string, practitioners: Array<{ id: string, name: string | null }>, nodes: Array<{ id: string, name: string, preferredFirstName: string | null, email: string | null, phone: string | null, visits: number, missedAppointments: number, cancelledAppointments: number, bookedAppointments: number, lastAppointment: { startsAt: string, type: string | null, practitioner: { name: string | null } | null } | null, nextAppointment: { startsAt: string, type: string | null, practitioner: { name: string | null } | null } | null, why: { sentence: string, changesAt: string | null } }> } };

export type ReadPageQueryVariables = Exact<{
  organizationId: Scalars['ID']['input'];
  list: PatientList;
  search: InputMaybe<Scalars['String']['input']>;
  practitionerId: InputMaybe<Scalars['ID']['input']>;
  sort: PatientSort;
  first: Scalars['Int']['input'];
  skip: Scalars['Int']['input'];
  asOf: Scalars['ID']['input'];
}>;


export type ReadPageQuery = { patients: { totalCount: number, asOf: string, analyzedAt: string, timeZone: string, nodes: Array<{ id: string, name: string, preferredFirstName: string | null, email: string | null, phone: string | null, visits: number, missedAppointments: number, cancelledAppointments: number, bookedAppointments: number, lastAppointment: { startsAt: string, type: string | null, practitioner: { name: string | null } | null } | null, nextAppointment: { startsAt: string, type: string | null, practitioner: { name: string | null } | null } | null, why: { sentence: string, changesAt: string | null } }> } };

export type ChangeFragment = { patientId: string, name: string, kinds: Array<PatientChangeKind>, sentence: string, patient: { id: string } | null };

export type ReadChangesQueryVariables = Exact<{
  organizationId: Scalars['ID']['input'];
  syncId: Scalars['ID']['input'];
  since: InputMaybe<Scalars['ID']['input']>;
  after: InputMaybe<Scalars['String']['input']>;
  isFirst: Scalars['Boolean']['input'];
}>;


export type ReadChangesQuery = { syncChanges: { isBaseline: boolean, nodes: Array<{ patientId: string, name: string, kinds: Array<PatientChangeKind>, sentence: string, patient: { id: string } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } }, patients?: { analyzedAt: string, timeZone: string } };

export type WhyFragment = { list: PatientList, isMember: boolean, sentence: string, changesAt: string | null };

export type ReadPatientQueryVariables = Exact<{
  id: Scalars['ID']['input'];
}>;


export type ReadPatientQuery = { patient: { id: string, clinikoId: string, name: string, firstName: string | null, lastName: string | null, preferredFirstName: string | null, email: string | null, phone: string | null, createdAt: string | null, isArchived: boolean, visits: number, missedAppointments: number, cancelledAppointments: number, bookedAppointments: number, lastAppointment: { startsAt: string, type: string | null, practitioner: { name: string | null } | null } | null, nextAppointment: { startsAt: string, type: string | null, practitioner: { name: string | null } | null } | null, active: { list: PatientList, isMember: boolean, sentence: string, changesAt: string | null }, recent: { list: PatientList, isMember: boolean, sentence: string, changesAt: string | null }, upcoming: { list: PatientList, isMember: boolean, sentence: string, changesAt: string | null }, noFutureAppointment: { list: PatientList, isMember: boolean, sentence: string, changesAt: string | null }, cancelledNotRebooked: { list: PatientList, isMember: boolean, sentence: string, changesAt: string | null }, missedNotRebooked: { list: PatientList, isMember: boolean, sentence: string, changesAt: string | null }, firstVisitOnly: { list: PatientList, isMember: boolean, sentence: string, changesAt: string | null }, lapsed: { list: PatientList, isMember: boolean, sentence: string, changesAt: string | null } } | null };

/** The text of an operation, with the types of its result and its variables. */
export type Operation<Data, Variables> = string & { readonly __types?: (variables: Variables) => Data };

const BookingText = `fragment Booking on PatientAppointment{startsAt type practitioner{name}}`;
const RowText = `fragment Row on Patient{id name preferredFirstName email phone visits missedAppointments cancelledAppointments bookedAppointments lastAppointment{...Booking}nextAppointment{...Booking}why(list:$list){sentence changesAt}}`;
const PatientPageText = `fragment PatientPage on PatientConnection{totalCount asOf analyzedAt timeZone nodes{...Row}}`;
const ListSummaryText = `fragment ListSummary on PatientListSummary{list title counting totalCount isReadable}`;
const CountsText = `fragment Counts on SyncChangeCounts{patients becameActive becameInactive}`;
const ChangeText = `fragment Change on PatientChange{patientId name kinds sentence patient{id}}`;
const WhyText = `fragment Why on PatientReason{list isMember sentence changesAt}`;

export const ReadPastChangesDocument = `${CountsText} query ReadPastChanges($organizationId:ID!$limit:Int!$after:String){history(organizationId:$organizationId limit:$limit after:$after){nextCursor recentSyncs{syncId changes{...Counts}}}}` as Operation<ReadPastChangesQuery, ReadPastChangesQueryVariables>;

export const ReadLiveUpdatesDocument = `query ReadLiveUpdates($organizationId:ID!$limit:Int!){history(organizationId:$organizationId limit:$limit){liveUpdates{afterSyncId count firstAt lastAt patientChanges}}}` as Operation<ReadLiveUpdatesQuery, ReadLiveUpdatesQueryVariables>;

export const ReadModeDocument = `query ReadMode($organizationId:ID!){dashboard(organizationId:$organizationId){freshness{mode lookIntervalSeconds}}}` as Operation<ReadModeQuery, ReadModeQueryVariables>;

export const ReadFailingWebhooksDocument = `query ReadFailingWebhooks($organizationId:ID!){failingWebhooks(organizationId:$organizationId){id url isDisabled failingSince}}` as Operation<ReadFailingWebhooksQuery, ReadFailingWebhooksQueryVariables>;

export const ReadListsDocument = `${CountsText} ${ListSummaryText} query ReadLists($organizationId:ID!$asOf:ID!){syncStatus(syncId:$asOf){changes{...Counts}}patientLists(organizationId:$organizationId asOf:$asOf){...ListSummary}}` as Operation<ReadListsQuery, ReadListsQueryVariables>;

export const OpenListDocument = `${BookingText} ${RowText} ${PatientPageText} query OpenList($organizationId:ID!$list:PatientList!$search:String$practitionerId:ID$sort:PatientSort!$first:Int!$asOf:ID){patients(organizationId:$organizationId list:$list search:$search practitionerId:$practitionerId sort:$sort first:$first asOf:$asOf){...PatientPage practitioners{id name}}}` as Operation<OpenListQuery, OpenListQueryVariables>;

export const ReadPageDocument = `${BookingText} ${RowText} ${PatientPageText} query ReadPage($organizationId:ID!$list:PatientList!$search:String$practitionerId:ID$sort:PatientSort!$first:Int!$skip:Int!$asOf:ID!){patients(organizationId:$organizationId list:$list search:$search practitionerId:$practitionerId sort:$sort first:$first skip:$skip asOf:$asOf){...PatientPage}}` as Operation<ReadPageQuery, ReadPageQueryVariables>;

export const ReadChangesDocument = `${ChangeText} query ReadChanges($organizationId:ID!$syncId:ID!$since:ID$after:String$isFirst:Boolean!){syncChanges(syncId:$syncId since:$since first:50 after:$after){isBaseline nodes{...Change}pageInfo{hasNextPage endCursor}}patients(organizationId:$organizationId list:ALL first:1)@include(if:$isFirst){analyzedAt timeZone}}` as Operation<ReadChangesQuery, ReadChangesQueryVariables>;

export const ReadPatientDocument = `${BookingText} ${WhyText} query ReadPatient($id:ID!){patient(id:$id){id clinikoId name firstName lastName preferredFirstName email phone createdAt isArchived visits missedAppointments cancelledAppointments bookedAppointments lastAppointment{...Booking}nextAppointment{...Booking}active:why(list:ACTIVE){...Why}recent:why(list:RECENT){...Why}upcoming:why(list:UPCOMING){...Why}noFutureAppointment:why(list:NO_FUTURE_APPOINTMENT){...Why}cancelledNotRebooked:why(list:CANCELLED_NOT_REBOOKED){...Why}missedNotRebooked:why(list:MISSED_NOT_REBOOKED){...Why}firstVisitOnly:why(list:FIRST_VISIT_ONLY){...Why}lapsed:why(list:LAPSED){...Why}}}` as Operation<ReadPatientQuery, ReadPatientQueryVariables>;
