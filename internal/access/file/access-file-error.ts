import { maxUsersFileProblems } from '../../limits/access.ts';

/** A file of users that is not taken over: every problem, each with its line. No secret stands in them. */
export class AccessFileError extends Error {
  override readonly name = 'AccessFileError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const shown = problems.slice(0, maxUsersFileProblems);
    const more = problems.length - shown.length;
    super([...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n'));
    this.problems = problems;
  }
}
