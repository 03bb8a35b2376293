/* eslint-disable */
// Written by graphql-codegen; see codegen.ts beside this folder.

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
  /** A moment in UTC with milliseconds, such as `2024-12-22T14:30:22.123Z`. */
  DateTime: { input: string; output: string; }
};

/** Whether an organization's connection to Cliniko may be used. */
export type ConnectionState =
  /** Syncs use it. */
  | 'CONNECTED'
  /** It was switched off, and its API key removed. */
  | 'DISABLED'
  /** Cliniko did not accept the API key when it was last used; `problem` says why. */
  | 'NEEDS_ATTENTION';

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
  | 'INCREMENTAL';

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

export type SyncFragment = { __typename?: 'SyncStatus', id: string, syncId: string, mode: SyncMode, status: SyncState, step: SyncStep, progressPercentage: number, currentStep: string, currentStepNumber: number, patientsFound: number, appointmentsFound: number, activePatientsIdentified: number, activePatientsStored: number, startedAt: string, completedAt?: string | null, estimatedCompletion?: string | null, waitingFor?: WaitReason | null, resumesAt?: string | null, version: number, estimatedCompletionRange?: { __typename?: 'CompletionRange', earliest: string, latest: string } | null, failure?: { __typename?: 'SyncFailure', code: SyncFailureCode, message: string, whatToDo: string } | null, receipt?: { __typename?: 'SyncReceipt', agrees?: boolean | null, checkedAt: string, requests: number, lists: Array<{ __typename?: 'ListReceipt', list: string, inCliniko?: number | null, inMirror: number, agrees?: boolean | null, added: number, updated: number, removed: number, unreadable: number, compared?: number | null, of?: number | null }> } | null };

export type OverviewFragment = { __typename?: 'Dashboard', id: string, syncAvailable: boolean, currentSync?: { __typename?: 'SyncStatus', id: string, syncId: string, mode: SyncMode, status: SyncState, step: SyncStep, progressPercentage: number, currentStep: string, currentStepNumber: number, patientsFound: number, appointmentsFound: number, activePatientsIdentified: number, activePatientsStored: number, startedAt: string, completedAt?: string | null, estimatedCompletion?: string | null, waitingFor?: WaitReason | null, resumesAt?: string | null, version: number, estimatedCompletionRange?: { __typename?: 'CompletionRange', earliest: string, latest: string } | null, failure?: { __typename?: 'SyncFailure', code: SyncFailureCode, message: string, whatToDo: string } | null, receipt?: { __typename?: 'SyncReceipt', agrees?: boolean | null, checkedAt: string, requests: number, lists: Array<{ __typename?: 'ListReceipt', list: string, inCliniko?: number | null, inMirror: number, agrees?: boolean | null, added: number, updated: number, removed: number, unreadable: number, compared?: number | null, of?: number | null }> } | null } | null, lastSync?: { __typename?: 'SyncStatus', id: string, syncId: string, mode: SyncMode, status: SyncState, step: SyncStep, progressPercentage: number, currentStep: string, currentStepNumber: number, patientsFound: number, appointmentsFound: number, activePatientsIdentified: number, activePatientsStored: number, startedAt: string, completedAt?: string | null, estimatedCompletion?: string | null, waitingFor?: WaitReason | null, resumesAt?: string | null, version: number, estimatedCompletionRange?: { __typename?: 'CompletionRange', earliest: string, latest: string } | null, failure?: { __typename?: 'SyncFailure', code: SyncFailureCode, message: string, whatToDo: string } | null, receipt?: { __typename?: 'SyncReceipt', agrees?: boolean | null, checkedAt: string, requests: number, lists: Array<{ __typename?: 'ListReceipt', list: string, inCliniko?: number | null, inMirror: number, agrees?: boolean | null, added: number, updated: number, removed: number, unreadable: number, compared?: number | null, of?: number | null }> } | null } | null, patientStats: { __typename?: 'PatientStats', activePatients: number, patientsInCliniko: number, patientsWithRecent: number, patientsWithUpcoming: number, lastSyncTime?: string | null }, nextSync?: { __typename?: 'NextSync', mode: SyncMode, requests: number, seconds: number } | null };

export type DashboardUpdatedSubscriptionVariables = Exact<{
  organizationId: Scalars['ID']['input'];
}>;


export type DashboardUpdatedSubscription = { __typename?: 'Subscription', dashboardUpdated: { __typename?: 'Dashboard', id: string, syncAvailable: boolean, currentSync?: { __typename?: 'SyncStatus', id: string, syncId: string, mode: SyncMode, status: SyncState, step: SyncStep, progressPercentage: number, currentStep: string, currentStepNumber: number, patientsFound: number, appointmentsFound: number, activePatientsIdentified: number, activePatientsStored: number, startedAt: string, completedAt?: string | null, estimatedCompletion?: string | null, waitingFor?: WaitReason | null, resumesAt?: string | null, version: number, estimatedCompletionRange?: { __typename?: 'CompletionRange', earliest: string, latest: string } | null, failure?: { __typename?: 'SyncFailure', code: SyncFailureCode, message: string, whatToDo: string } | null, receipt?: { __typename?: 'SyncReceipt', agrees?: boolean | null, checkedAt: string, requests: number, lists: Array<{ __typename?: 'ListReceipt', list: string, inCliniko?: number | null, inMirror: number, agrees?: boolean | null, added: number, updated: number, removed: number, unreadable: number, compared?: number | null, of?: number | null }> } | null } | null, lastSync?: { __typename?: 'SyncStatus', id: string, syncId: string, mode: SyncMode, status: SyncState, step: SyncStep, progressPercentage: number, currentStep: string, currentStepNumber: number, patientsFound: number, appointmentsFound: number, activePatientsIdentified: number, activePatientsStored: number, startedAt: string, completedAt?: string | null, estimatedCompletion?: string | null, waitingFor?: WaitReason | null, resumesAt?: string | null, version: number, estimatedCompletionRange?: { __typename?: 'CompletionRange', earliest: string, latest: string } | null, failure?: { __typename?: 'SyncFailure', code: SyncFailureCode, message: string, whatToDo: string } | null, receipt?: { __typename?: 'SyncReceipt', agrees?: boolean | null, checkedAt: string, requests: number, lists: Array<{ __typename?: 'ListReceipt', list: string, inCliniko?: number | null, inMirror: number, agrees?: boolean | null, added: number, updated: number, removed: number, unreadable: number, compared?: number | null, of?: number | null }> } | null } | null, patientStats: { __typename?: 'PatientStats', activePatients: number, patientsInCliniko: number, patientsWithRecent: number, patientsWithUpcoming: number, lastSyncTime?: string | null }, nextSync?: { __typename?: 'NextSync', mode: SyncMode, requests: number, seconds: number } | null } };

export type SyncLogSubscriptionVariables = Exact<{
  syncId: Scalars['ID']['input'];
  after: Scalars['Int']['input'];
}>;


export type SyncLogSubscription = { __typename?: 'Subscription', syncLog: { __typename?: 'SyncLogEntry', id: string, seq: number, time: string, level: LogLevel, step: SyncStep, message: string } };

export type DashboardNowQueryVariables = Exact<{
  organizationId: Scalars['ID']['input'];
}>;


export type DashboardNowQuery = { __typename?: 'Query', dashboard: { __typename?: 'Dashboard', id: string, syncAvailable: boolean, currentSync?: { __typename?: 'SyncStatus', id: string, syncId: string, mode: SyncMode, status: SyncState, step: SyncStep, progressPercentage: number, currentStep: string, currentStepNumber: number, patientsFound: number, appointmentsFound: number, activePatientsIdentified: number, activePatientsStored: number, startedAt: string, completedAt?: string | null, estimatedCompletion?: string | null, waitingFor?: WaitReason | null, resumesAt?: string | null, version: number, estimatedCompletionRange?: { __typename?: 'CompletionRange', earliest: string, latest: string } | null, failure?: { __typename?: 'SyncFailure', code: SyncFailureCode, message: string, whatToDo: string } | null, receipt?: { __typename?: 'SyncReceipt', agrees?: boolean | null, checkedAt: string, requests: number, lists: Array<{ __typename?: 'ListReceipt', list: string, inCliniko?: number | null, inMirror: number, agrees?: boolean | null, added: number, updated: number, removed: number, unreadable: number, compared?: number | null, of?: number | null }> } | null } | null, lastSync?: { __typename?: 'SyncStatus', id: string, syncId: string, mode: SyncMode, status: SyncState, step: SyncStep, progressPercentage: number, currentStep: string, currentStepNumber: number, patientsFound: number, appointmentsFound: number, activePatientsIdentified: number, activePatientsStored: number, startedAt: string, completedAt?: string | null, estimatedCompletion?: string | null, waitingFor?: WaitReason | null, resumesAt?: string | null, version: number, estimatedCompletionRange?: { __typename?: 'CompletionRange', earliest: string, latest: string } | null, failure?: { __typename?: 'SyncFailure', code: SyncFailureCode, message: string, whatToDo: string } | null, receipt?: { __typename?: 'SyncReceipt', agrees?: boolean | null, checkedAt: string, requests: number, lists: Array<{ __typename?: 'ListReceipt', list: string, inCliniko?: number | null, inMirror: number, agrees?: boolean | null, added: number, updated: number, removed: number, unreadable: number, compared?: number | null, of?: number | null }> } | null } | null, patientStats: { __typename?: 'PatientStats', activePatients: number, patientsInCliniko: number, patientsWithRecent: number, patientsWithUpcoming: number, lastSyncTime?: string | null }, nextSync?: { __typename?: 'NextSync', mode: SyncMode, requests: number, seconds: number } | null } };

export type StartSyncMutationVariables = Exact<{
  organizationId: Scalars['ID']['input'];
  mode: SyncMode;
}>;


export type StartSyncMutation = { __typename?: 'Mutation', startSync: { __typename?: 'StartSyncPayload', sync: { __typename?: 'SyncStatus', id: string, syncId: string, mode: SyncMode, status: SyncState, step: SyncStep, progressPercentage: number, currentStep: string, currentStepNumber: number, patientsFound: number, appointmentsFound: number, activePatientsIdentified: number, activePatientsStored: number, startedAt: string, completedAt?: string | null, estimatedCompletion?: string | null, waitingFor?: WaitReason | null, resumesAt?: string | null, version: number, estimatedCompletionRange?: { __typename?: 'CompletionRange', earliest: string, latest: string } | null, failure?: { __typename?: 'SyncFailure', code: SyncFailureCode, message: string, whatToDo: string } | null, receipt?: { __typename?: 'SyncReceipt', agrees?: boolean | null, checkedAt: string, requests: number, lists: Array<{ __typename?: 'ListReceipt', list: string, inCliniko?: number | null, inMirror: number, agrees?: boolean | null, added: number, updated: number, removed: number, unreadable: number, compared?: number | null, of?: number | null }> } | null } } };

export type CancelSyncMutationVariables = Exact<{
  syncId: Scalars['ID']['input'];
}>;


export type CancelSyncMutation = { __typename?: 'Mutation', cancelSync: { __typename?: 'CancelSyncPayload', sync: { __typename?: 'SyncStatus', id: string, syncId: string, mode: SyncMode, status: SyncState, step: SyncStep, progressPercentage: number, currentStep: string, currentStepNumber: number, patientsFound: number, appointmentsFound: number, activePatientsIdentified: number, activePatientsStored: number, startedAt: string, completedAt?: string | null, estimatedCompletion?: string | null, waitingFor?: WaitReason | null, resumesAt?: string | null, version: number, estimatedCompletionRange?: { __typename?: 'CompletionRange', earliest: string, latest: string } | null, failure?: { __typename?: 'SyncFailure', code: SyncFailureCode, message: string, whatToDo: string } | null, receipt?: { __typename?: 'SyncReceipt', agrees?: boolean | null, checkedAt: string, requests: number, lists: Array<{ __typename?: 'ListReceipt', list: string, inCliniko?: number | null, inMirror: number, agrees?: boolean | null, added: number, updated: number, removed: number, unreadable: number, compared?: number | null, of?: number | null }> } | null } } };

/** The text of an operation, with the types of its result and its variables. */
export type Operation<Data, Variables> = string & { readonly __types?: (variables: Variables) => Data };

export const DashboardUpdatedDocument = `
fragment Overview on Dashboard {
  id
  syncAvailable
  currentSync {
    ...Sync
  }
  lastSync {
    ...Sync
  }
  patientStats {
    activePatients
    patientsInCliniko
    patientsWithRecent
    patientsWithUpcoming
    lastSyncTime
  }
  nextSync {
    mode
    requests
    seconds
  }
}

fragment Sync on SyncStatus {
  id
  syncId
  mode
  status
  step
  progressPercentage
  currentStep
  currentStepNumber
  patientsFound
  appointmentsFound
  activePatientsIdentified
  activePatientsStored
  startedAt
  completedAt
  estimatedCompletion
  estimatedCompletionRange {
    earliest
    latest
  }
  waitingFor
  resumesAt
  failure {
    code
    message
    whatToDo
  }
  version
  receipt {
    agrees
    checkedAt
    requests
    lists {
      list
      inCliniko
      inMirror
      agrees
      added
      updated
      removed
      unreadable
      compared
      of
    }
  }
}

subscription DashboardUpdated($organizationId: ID!) {
  dashboardUpdated(organizationId: $organizationId) {
    ...Overview
  }
}
` as Operation<DashboardUpdatedSubscription, DashboardUpdatedSubscriptionVariables>;

export const SyncLogDocument = `
subscription SyncLog($syncId: ID!, $after: Int!) {
  syncLog(syncId: $syncId, after: $after) {
    id
    seq
    time
    level
    step
    message
  }
}
` as Operation<SyncLogSubscription, SyncLogSubscriptionVariables>;

export const DashboardNowDocument = `
fragment Overview on Dashboard {
  id
  syncAvailable
  currentSync {
    ...Sync
  }
  lastSync {
    ...Sync
  }
  patientStats {
    activePatients
    patientsInCliniko
    patientsWithRecent
    patientsWithUpcoming
    lastSyncTime
  }
  nextSync {
    mode
    requests
    seconds
  }
}

fragment Sync on SyncStatus {
  id
  syncId
  mode
  status
  step
  progressPercentage
  currentStep
  currentStepNumber
  patientsFound
  appointmentsFound
  activePatientsIdentified
  activePatientsStored
  startedAt
  completedAt
  estimatedCompletion
  estimatedCompletionRange {
    earliest
    latest
  }
  waitingFor
  resumesAt
  failure {
    code
    message
    whatToDo
  }
  version
  receipt {
    agrees
    checkedAt
    requests
    lists {
      list
      inCliniko
      inMirror
      agrees
      added
      updated
      removed
      unreadable
      compared
      of
    }
  }
}

query DashboardNow($organizationId: ID!) {
  dashboard(organizationId: $organizationId) {
    ...Overview
  }
}
` as Operation<DashboardNowQuery, DashboardNowQueryVariables>;

export const StartSyncDocument = `
fragment Sync on SyncStatus {
  id
  syncId
  mode
  status
  step
  progressPercentage
  currentStep
  currentStepNumber
  patientsFound
  appointmentsFound
  activePatientsIdentified
  activePatientsStored
  startedAt
  completedAt
  estimatedCompletion
  estimatedCompletionRange {
    earliest
    latest
  }
  waitingFor
  resumesAt
  failure {
    code
    message
    whatToDo
  }
  version
  receipt {
    agrees
    checkedAt
    requests
    lists {
      list
      inCliniko
      inMirror
      agrees
      added
      updated
      removed
      unreadable
      compared
      of
    }
  }
}

mutation StartSync($organizationId: ID!, $mode: SyncMode!) {
  startSync(organizationId: $organizationId, mode: $mode) {
    sync {
      ...Sync
    }
  }
}
` as Operation<StartSyncMutation, StartSyncMutationVariables>;

export const CancelSyncDocument = `
fragment Sync on SyncStatus {
  id
  syncId
  mode
  status
  step
  progressPercentage
  currentStep
  currentStepNumber
  patientsFound
  appointmentsFound
  activePatientsIdentified
  activePatientsStored
  startedAt
  completedAt
  estimatedCompletion
  estimatedCompletionRange {
    earliest
    latest
  }
  waitingFor
  resumesAt
  failure {
    code
    message
    whatToDo
  }
  version
  receipt {
    agrees
    checkedAt
    requests
    lists {
      list
      inCliniko
      inMirror
      agrees
      added
      updated
      removed
      unreadable
      compared
      of
    }
  }
}

mutation CancelSync($syncId: ID!) {
  cancelSync(syncId: $syncId) {
    sync {
      ...Sync
    }
  }
}
` as Operation<CancelSyncMutation, CancelSyncMutationVariables>;
