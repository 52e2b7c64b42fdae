import type { AccessDirectory } from '../../../access/directory.ts';
import type { User } from '../../../access/users/user.ts';
import { describeUserScramCredentials } from '../../../protocol/kafka/apis/50-describe-user-scram-credentials.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { kafkaError, NO_ERROR } from '../errors.ts';
import { defineHandler } from '../handler.ts';
import { mechanismsOf } from '../scram-credentials.ts';
import { duplicatesOf } from '../topics.ts';

/** Tells which users can log in by SCRAM; all of them, where none is named. */
export const describeUserScramCredentialsHandler = defineHandler(
  describeUserScramCredentials,
  ({ users }, { parts }) => {
    const known = parts.directory?.current.users ?? NO_USERS;
    const named = users === null || users.length === 0 ? namesIn(known) : users.map(({ name }) => name);
    const twice = duplicatesOf(named);
    const results = Array.from(new Set(named), (name) => {
      const credentialInfos = mechanismsOf(known.get(name)).map(({ type, iterations }) => ({
        mechanism: type,
        iterations,
      }));
      if (twice.has(name)) return { user: name, ...TWICE, credentialInfos: [] };
      if (credentialInfos.length === 0) return { user: name, ...NOT_FOUND, credentialInfos };
      return { user: name, ...NO_ERROR, credentialInfos };
    });
    return { ...NO_ERROR, results };
  },
  { first: { need: 'describe broker', refused: (error) => ({ ...error, results: [] }) } },
);

const NO_USERS: AccessDirectory['current']['users'] = new Map<string, User>();
const TWICE = kafkaError(KafkaErrorCode.duplicateResource, 'the user is named twice');
const NOT_FOUND = kafkaError(
  KafkaErrorCode.resourceNotFound,
  'there is no user of this name with keys for SCRAM',
);

function namesIn(users: ReadonlyMap<string, User>): string[] {
  const withKeys = [...users.values()].filter((user) => mechanismsOf(user).length > 0);
  return withKeys.map(({ name }) => name).sort();
}
