import { AccessError } from '../../access/access-error.ts';
import type { AccessDirectory } from '../../access/directory.ts';
import {
  type AclBinding,
  type AclBindingFilter,
  bindingFilterProblem,
  bindingProblem,
  bindingsOf,
  matchesBinding,
  ruleOfBinding,
} from '../../access/rules/kafka-patterns.ts';
import type { Rule } from '../../access/rules/rule.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { directoryError, directoryForClients } from './directory-errors.ts';
import { type KafkaError, kafkaError, NO_ERROR } from './errors.ts';
import type { KafkaParts } from './handler.ts';

/** The result of one filter of DeleteAcls. */
export interface DeletedAcls extends KafkaError {
  readonly found: readonly (KafkaError & { readonly binding: AclBinding })[];
}

/** The bindings that a filter finds, among the rules that Kafka's clients made and those of the file that are like them. */
export function findAcls(
  { directory: shared }: KafkaParts,
  filter: AclBindingFilter,
): AclBinding[] | KafkaError {
  const directory = directoryForClients(shared);
  if ('errorCode' in directory) return directory;
  const problem = filterError(filter);
  return problem ?? matchesIn(directory, filter).map(({ binding }) => binding);
}

/** Makes rules of bindings; those that cannot be are refused, and the others are made all at once. */
export async function createAcls(
  { directory: shared }: KafkaParts,
  bindings: readonly AclBinding[],
): Promise<KafkaError[]> {
  const directory = directoryForClients(shared);
  if ('errorCode' in directory) return bindings.map(() => directory);
  const problems = bindings.map(bindingProblem);
  const valid = bindings.filter((_, index) => problems[index] === undefined);
  const outcome = await edited(
    directory,
    valid.map((binding) => ({ kind: 'put-rule', rule: ruleOfBinding(binding) })),
  );
  return problems.map((problem) =>
    problem === undefined ? outcome : kafkaError(KafkaErrorCode.invalidRequest, problem),
  );
}

/** Removes whatever the filters find. Rules of the file stay, and whoever wanted them gone is told. */
export async function deleteAcls(
  { directory: shared }: KafkaParts,
  filters: readonly AclBindingFilter[],
): Promise<DeletedAcls[]> {
  const directory = directoryForClients(shared);
  if ('errorCode' in directory) return filters.map(() => ({ ...directory, found: [] }));
  for (;;) {
    const matches = filters.map((filter) => filterError(filter) ?? matchesIn(directory, filter));
    const ids = new Set(
      matches.flatMap((each) =>
        'errorCode' in each ? [] : each.filter(isStored).map(({ rule }) => rule.id),
      ),
    );
    try {
      await directory.edit(Array.from(ids, (id) => ({ kind: 'remove-rule', id })));
      return matches.map((each) => ('errorCode' in each ? { ...each, found: [] } : deleted(each)));
    } catch (error) {
      // Somebody else removed one of them at the same time.
      if (error instanceof AccessError && error.code === 'not-found') continue;
      const failure = directoryError(error, KafkaErrorCode.invalidRequest);
      return filters.map(() => ({ ...failure, found: [] }));
    }
  }
}

interface Match {
  readonly rule: Rule;
  readonly binding: AclBinding;
}

function matchesIn({ current }: AccessDirectory, filter: AclBindingFilter): Match[] {
  return current.rules.flatMap((rule) =>
    bindingsOf(rule)
      .filter((binding) => matchesBinding(filter, binding))
      .map((binding) => ({ rule, binding })),
  );
}

function isStored({ rule }: Match): boolean {
  return rule.origin === 'store';
}

function deleted(matches: readonly Match[]): DeletedAcls {
  const found = matches.map((match) => ({
    ...(isStored(match) ? NO_ERROR : kafkaError(KafkaErrorCode.policyViolation, DECLARED)),
    binding: match.binding,
  }));
  return { ...NO_ERROR, found };
}

const DECLARED = 'it is declared in the file of -users: change it there';

function filterError(filter: AclBindingFilter): KafkaError | undefined {
  const problem = bindingFilterProblem(filter);
  return problem === undefined ? undefined : kafkaError(KafkaErrorCode.invalidRequest, problem);
}

async function edited(
  directory: AccessDirectory,
  changes: Parameters<AccessDirectory['edit']>[0],
): Promise<KafkaError> {
  try {
    await directory.edit(changes);
    return NO_ERROR;
  } catch (error) {
    return directoryError(error, KafkaErrorCode.invalidRequest);
  }
}
