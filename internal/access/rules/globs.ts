import { micromatch } from '../../lib/micromatch.ts';
import { maxGlobbedNameCharacters } from '../../limits/access.ts';
import type { Effect } from './rule.ts';
import { isNameless, type Subject, usableName, variableIn } from './variables.ts';

/** Whether a name is one of those that a rule is about, for one client. */
export type NameTest = (name: string, who: Subject) => boolean;

/** The test of a list of globs, of which one has to match. */
export function globTest(globs: readonly string[], effect: Effect): NameTest {
  const tests = globs.map((glob) => testOf(glob, effect));
  return (name, who) => tests.some((test) => test(name, who));
}

function testOf(glob: string, effect: Effect): NameTest {
  const variable = variableIn(glob);
  if (variable === undefined) return plainTestOf(glob, effect);
  return (name, who) => {
    if (isNameless(variable, who)) return false;
    const value = usableName(variable, who);
    if (value === undefined) return effect === 'deny';
    return plainTestOf(variable.before + escaped(value) + variable.after, effect)(name, who);
  };
}

function plainTestOf(glob: string, effect: Effect): NameTest {
  if (!SPECIAL.test(glob)) return (name) => name === glob;
  const prefix = glob.endsWith('*') && glob.slice(0, -1);
  if (typeof prefix === 'string' && !SPECIAL.test(prefix)) return (name) => name.startsWith(prefix);
  const matches = micromatch().matcher(asOneSegment(glob), { dot: true, nonegate: true, noextglob: true });
  return (name) =>
    name.length > maxGlobbedNameCharacters || name.includes(SLASH)
      ? effect === 'deny'
      : matches(asOneSegment(name));
}

/** A `/` is a character like any other in these names, but for micromatch it ends what a star matches. */
function asOneSegment(text: string): string {
  return text.replaceAll('/', SLASH);
}

/** No glob has it (parse-rules.ts). */
const SLASH = '\0';

const SPECIAL = /[\\*?[\]{}()!+@|^$]/;

function escaped(value: string): string {
  return value.replace(new RegExp(SPECIAL, 'g'), '\\$&');
}
