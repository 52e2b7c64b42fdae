import type { AccessChange } from '../../access/directory.ts';
import { SCRAM_HASHES, scramKeysOf } from '../../access/users/scram-keys.ts';
import { SCRAM_MECHANISMS, type ScramMechanism, type User } from '../../access/users/user.ts';
import { minScramIterations, scramIterations } from '../../limits/access.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { directoryError, directoryForClients } from './directory-errors.ts';
import { type KafkaError, kafkaError, NO_ERROR } from './errors.ts';
import type { KafkaParts } from './handler.ts';
import { duplicatesOf } from './topics.ts';

/** Takes the keys of a mechanism away. */
export interface ScramDeletion {
  readonly mechanism: number;
}

/** Sets the keys of a mechanism, from a password that the client has salted. */
export interface ScramUpsertion {
  readonly mechanism: number;
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly saltedPassword: Uint8Array;
}

/** Kafka's numbers of mechanisms (its ScramMechanism). */
const MECHANISMS: Readonly<Record<number, ScramMechanism>> = { 1: 'SCRAM-SHA-256', 2: 'SCRAM-SHA-512' };

/** Which keys a user has, in Kafka's numbers. */
export function mechanismsOf(user: User | undefined): { type: number; iterations: number }[] {
  return SCRAM_MECHANISMS.flatMap((mechanism, index) => {
    const keys = user?.scram[mechanism];
    return keys === undefined ? [] : [{ type: index + 1, iterations: keys.iterations }];
  });
}

/**
 * Changes the keys of one user. A user who is not there is made with the first keys, and one who has nothing left, neither
 * a password nor a group, goes with the last. New keys are a new password: the hash of the former one goes.
 */
export async function alterUser(
  { directory: shared }: KafkaParts,
  name: string,
  deletions: readonly ScramDeletion[],
  upsertions: readonly ScramUpsertion[],
): Promise<KafkaError> {
  const directory = directoryForClients(shared);
  if ('errorCode' in directory) return directory;
  const user = directory.current.users.get(name);
  const problem = problemOf(name, user, deletions, upsertions);
  if (problem !== undefined) return problem;
  const scram = { ...user?.scram };
  for (const { mechanism } of deletions) delete scram[MECHANISMS[mechanism]!];
  for (const { mechanism, saltedPassword, salt, iterations } of upsertions) {
    const known = MECHANISMS[mechanism]!;
    scram[known] = scramKeysOf(known, saltedPassword, salt, iterations);
  }
  try {
    await directory.edit([changeOf(name, user, scram, upsertions.length > 0)]);
    return NO_ERROR;
  } catch (error) {
    return directoryError(error, KafkaErrorCode.unacceptableCredential);
  }
}

function changeOf(
  name: string,
  user: User | undefined,
  scram: User['scram'],
  hasNewPassword: boolean,
): AccessChange {
  if (user === undefined) return { kind: 'add-user', user: { name, isEnabled: true, groups: [], scram } };
  const password = hasNewPassword ? undefined : user.password;
  const hasNothing = Object.keys(scram).length === 0 && password === undefined && user.groups.length === 0;
  if (hasNothing) return { kind: 'remove-user', name };
  return { kind: 'alter-user', name, fields: { scram, password } };
}

function problemOf(
  name: string,
  user: User | undefined,
  deletions: readonly ScramDeletion[],
  upsertions: readonly ScramUpsertion[],
): KafkaError | undefined {
  const { duplicateResource, resourceNotFound, unacceptableCredential, unsupportedSaslMechanism } =
    KafkaErrorCode;
  const named = [...deletions, ...upsertions].map(({ mechanism }) => mechanism);
  if (name === '') return kafkaError(unacceptableCredential, 'Username must not be empty');
  if (named.some((mechanism) => MECHANISMS[mechanism] === undefined)) {
    return kafkaError(unsupportedSaslMechanism, 'Unknown SCRAM mechanism');
  }
  if (duplicatesOf(named).size > 0) {
    return kafkaError(duplicateResource, 'A user credential cannot be altered twice in the same request');
  }
  if (deletions.some(({ mechanism }) => user?.scram[MECHANISMS[mechanism]!] === undefined)) {
    return kafkaError(resourceNotFound, 'Attempt to delete a user credential that does not exist');
  }
  for (const upsertion of upsertions) {
    const problem = keysProblem(upsertion);
    if (problem !== undefined) return kafkaError(unacceptableCredential, problem);
  }
  return undefined;
}

function keysProblem({ mechanism, iterations, salt, saltedPassword }: ScramUpsertion): string | undefined {
  if (iterations < minScramIterations) return `Too few iterations: at least ${minScramIterations}`;
  if (iterations > scramIterations) return `Too many iterations: at most ${scramIterations}`;
  if (salt.length === 0) return 'The salt must not be empty';
  const { bytes } = SCRAM_HASHES[MECHANISMS[mechanism]!];
  return saltedPassword.length === bytes ? undefined : `The salted password must have ${bytes} bytes`;
}
