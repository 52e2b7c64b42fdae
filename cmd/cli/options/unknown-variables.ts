import { suggestion } from '../../../internal/lib/nearest.ts';
import { brokerProgram } from '../../broker/flags.ts';
import { dashmqProgram } from '../../dashmq/flags.ts';
import { publisherProgram } from '../../publisher/flags.ts';
import { subscriberProgram } from '../../subscriber/flags.ts';
import * as groups from '../../tinymq/groups/flags.ts';
import * as imports from '../../tinymq/import/flags.ts';
import * as records from '../../tinymq/records/flags.ts';
import * as smq from '../../tinymq/smq/flags.ts';
import * as topics from '../../tinymq/topics/flags.ts';
import { SECRET_VARIABLES } from './credential-options.ts';
import type { OptionTable } from './option.ts';
import { type Program, variablesOf } from './program.ts';

const PREFIX = 'TINYMQ_';
/** Set by the launchers and the build, and what has no flag. */
const OWN: readonly string[] = ['TINYMQ_PROGRAM_FOLDER', 'TINYMQ_INSTALLING', ...SECRET_VARIABLES];
/** Kubernetes sets these for every container beside a service that is called tinymq. */
const OF_A_SERVICE = /_SERVICE_(HOST|PORT)|_PORT(_\d+_(TCP|UDP|SCTP).*)?$/;

/** A sentence for each variable that looks like one of ours and is none of any program. */
export function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const ours = Object.keys(environment).filter((name) => /^TINYMQ_/i.test(name) && !OWN.includes(name));
  if (ours.length === 0) return [];
  const known = knownVariables();
  return ours
    .filter((name) => !known.has(name) && !OF_A_SERVICE.test(name))
    .map((name) => `the variable ${name} has no effect${hintFor(name, known)}`);
}

/** What all of them begin with makes none of them more likely. */
function hintFor(name: string, known: ReadonlySet<string>): string {
  const endings = [...known].map((variable) => variable.slice(PREFIX.length));
  return suggestion(name.slice(PREFIX.length), endings, PREFIX);
}

function knownVariables(): Set<string> {
  const tables = [topics, groups, records, imports, smq].flatMap((table) => Object.values(table));
  const commands = tables.filter((entry): entry is Program<OptionTable> => 'examples' in entry);
  const programs = [brokerProgram, dashmqProgram, publisherProgram, subscriberProgram, ...commands];
  return new Set(
    programs.flatMap((program) => Object.keys(program.options).flatMap((flag) => variablesOf(program, flag))),
  );
}
