/** What an error means, in the page's own words where the server's are for programs. */

import { Missing, sentenceOf as sentenceOfAny } from '../core/errors';
import { GONE } from '../core/syncDetailStore';

/** A sentence for people. That of a missing sync has no advice for programs. */
export const sentenceOf = (problem: unknown): string => (problem instanceof Missing ? GONE : sentenceOfAny(problem));
