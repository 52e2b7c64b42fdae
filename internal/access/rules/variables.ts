import type { Identity } from '../identity.ts';

/** Whom a rule is asked about, as far as patterns of rules can name it. */
export type Subject = Pick<Identity, 'user' | 'clientId'>;

/** `%u` or `%c` in a level of a filter or in a glob, with what stands before and behind it. */
export interface Variable {
  readonly before: string;
  readonly of: keyof Subject;
  readonly after: string;
}

/** The variable of a text; undefined for a text that has none. Rules have one in a level or a glob at most. */
export function variableIn(text: string): Variable | undefined {
  const [, before, letter, after] = /^(.*?)%([uc])(.*)$/s.exec(text) ?? [];
  if (letter === undefined) return undefined;
  return { before: before!, of: letter === 'u' ? 'user' : 'clientId', after: after! };
}

/** Whether a client has no such name at all, as an anonymous one has no user: a pattern with it is about nothing. */
export function isNameless({ of }: Variable, who: Subject): boolean {
  return who[of] === undefined;
}

/**
 * What a variable stands for; undefined where the name cannot stand in a pattern: it is empty, has separators, wildcards,
 * control characters or line breaks, or begins with `$`. A rule that allows does not match then, as the name would say
 * more than a name. A rule that denies must not vanish, so it matches whatever the name could have said.
 */
export function usableName({ of }: Variable, who: Subject): string | undefined {
  const name = who[of];
  return name === undefined || name === '' || UNUSABLE.test(name) ? undefined : name;
}

const UNUSABLE = /^\$|[/+#*\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u;
