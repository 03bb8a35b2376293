// Everything that views need; the other files of this folder are its own business.

export { placeOf } from './address';
export { Denied, Forbidden, Missing, Refused, Stranger, Unreachable, sentenceOf } from './errors';
export { GrowingLog } from './logIndex';
export { readOrganizations } from './organizations';
export { SyncDetailStore } from './syncDetailStore';
export { SyncStore } from './syncStore';
export { organizationOf, reusing } from './tokens';
export * from './types';
