import { type AccessStore, keepsNothing } from '../access/access-store.ts';
import { allowPartly } from '../access/allow-partly.ts';
import { type Authenticator, isRefusal } from '../access/authenticator.ts';
import { AccessDirectory } from '../access/directory.ts';
import { DirectoryPolicy } from '../access/directory-policy.ts';
import { AccessFile } from '../access/file/access-file.ts';
import { policyOfGuard } from '../access/guard.ts';
import { Limits, ruleOf } from '../access/limits/limits.ts';
import type { Policy } from '../access/policy.ts';
import { RulePolicy } from '../access/rules/rule-policy.ts';
import { Standing } from '../access/standing.ts';
import { CertificateUsers } from '../access/users/certificate-users.ts';
import { Decoys } from '../access/users/decoys.ts';
import { HashQueue } from '../access/users/hash-queue.ts';
import { passwordMaker } from '../access/users/passwords.ts';
import { Tokens } from '../access/users/tokens/tokens.ts';
import { UserAuthenticator } from '../access/users/user-authenticator.ts';
import type { AdminParts } from '../admin/operation.ts';
import type { Broker, Logger } from '../broker/broker.ts';
import { nameForLog } from '../errors.ts';
import { systemClock } from '../lib/clock.ts';
import { usersFileWatchMs } from '../limits/access.ts';
import { liveTopicOf, logNameOf } from '../log/names.ts';
import { Throttles } from '../observe/throttles.ts';
import { AccessEntries } from '../persistence/access-entries.ts';
import { SharedAccess } from '../persistence/shared-access.ts';
import type { SharedTable } from '../store/shared-table.ts';
import { StoreUnavailableError } from '../store/store-error.ts';
import { checkNotMarked, MarkedAccess } from './has-users.ts';
import { loginSecret } from './login-secret.ts';
import type { Opened } from './opened.ts';
import { type BrokerOptions, storeFolderOf } from './options.ts';
import { isEntryStore, type OpenEntries } from './session-store.ts';
import type { StoredLogs } from './stored-logs.ts';

/** Who may be let in and do what, with what the doors ask. */
export interface OpenAccess {
  readonly directory: AccessDirectory;
  readonly authenticator: Authenticator;
  readonly policy: Policy;
  readonly limits: Limits;
  /** What users and rules say, also where an app decides itself. */
  readonly rules: DirectoryPolicy;
  readonly makePassword: AdminParts['makePassword'];
  /** Reads the file of users now; what is wrong with it is logged. */
  reload(): Promise<void>;
}

export interface AccessParts {
  options: BrokerOptions;
  kept: Pick<StoredLogs, 'store'> | undefined;
  /** Undefined where sessions are kept in memory. */
  entries: OpenEntries | undefined;
  /** Where the nodes of a cluster have users, rules and limits. */
  shared: SharedTable | undefined;
  logger: Logger;
  opened: Opened;
}

/**
 * Reads users and rules from the store and from their file.
 *
 * @throws Error where they cannot be read: a broker that has users never opens without them.
 */
export async function openAccess(parts: AccessParts): Promise<OpenAccess> {
  const { options, logger, opened } = parts;
  const { tokens: tokenOptions, certificateUsers, authenticator } = options;
  const certificates = new CertificateUsers(certificateUsers);
  // Whoever shows a token is somebody, though no user is named here.
  const directory = await AccessDirectory.open(await storeOf(parts), tokenOptions !== undefined);
  const file = await openFile(options.usersFile, directory, logger);
  opened.add(() => file?.close());
  const tokens =
    tokenOptions && (await Tokens.open(tokenOptions, (error) => reportKeys(error, logger), options.clock));
  opened.add(() => tokens?.close());
  const standing = new Standing(directory);
  const queue = new HashQueue();
  const users = new UserAuthenticator({
    ...{ directory, standing, tokens, certificates, queue },
    allowsAnonymous: true,
    decoys: new Decoys(() => loginSecret(storeFolderOf(options), logger)),
    report: (user, error) => reportReplaced(user, error, logger),
  });
  const rules = new DirectoryPolicy(directory, standing, new RulePolicy({ sharedLogOf }));
  return {
    directory,
    limits: limitsOf(parts, directory, standing),
    rules,
    makePassword: passwordMaker(queue),
    authenticator: authenticator ?? users,
    policy: policyOf(options, rules),
    reload: async () => file?.reload(),
  };
}

function limitsOf(
  { options: { clock = systemClock }, opened }: AccessParts,
  directory: AccessDirectory,
  standing: Standing,
): Limits {
  const limits = new Limits({
    clock,
    read: () => directory.current.limits,
    present(who) {
      const present = standing.of(who);
      return isRefusal(present) ? who : present;
    },
  });
  opened.add(directory.onChange(() => limits.changed()));
  return limits;
}

/** A client that has to wait because of a limit is a fate like others. */
export function tellThrottles(limits: Limits, { fates, clock }: Pick<Broker, 'fates' | 'clock'>): void {
  const throttles = new Throttles(fates, clock);
  limits.throttled = ({ limit, ...throttle }) =>
    throttles.add({ ...throttle, rule: limit === undefined ? undefined : ruleOf(limit) });
}

/** What an app says in the place of rules, or in the short form beside them. */
function policyOf({ policy, guard, aclPartial }: BrokerOptions, rules: DirectoryPolicy): Policy {
  const decides = policy ?? (guard === undefined ? rules : policyOfGuard(guard, rules));
  return aclPartial ? allowPartly(decides) : decides;
}

function reportReplaced(user: string, error: Error | undefined, logger: Logger): void {
  const fields = { event: 'password-hashed', user: nameForLog(user) };
  if (error === undefined) logger.info(fields, 'the password of a user of another broker was hashed anew');
  else logger.warn({ ...fields, error: error.message }, 'the password of a user was not hashed anew');
}

/** The topic after which the log is called that a live topic is kept in, where that is not the topic itself. */
export function sharedLogOf(topic: string): string | undefined {
  const owner = liveTopicOf(logNameOf(topic));
  return owner === topic ? undefined : owner;
}

async function openFile(
  path: string | undefined,
  directory: AccessDirectory,
  logger: Logger,
): Promise<AccessFile | undefined> {
  if (path === undefined) return undefined;
  return AccessFile.open({
    file: path,
    watchMs: usersFileWatchMs,
    take: (declared) => directory.replaceFile(declared),
    report(outcome) {
      const fields = { event: 'users-file', file: path };
      if (outcome.kind === 'refused') {
        const { message } = outcome.error;
        logger.error({ ...fields, error: message }, 'the new users are not used; those before stay');
        return;
      }
      const { users, rules } = directory.current;
      const counts = { users: users.size, rules: rules.length };
      const what = outcome.kind === 'taken' ? '' : '; nothing has changed';
      logger.info({ ...fields, ...counts }, `the users were read again${what}`);
    },
  });
}

function reportKeys(error: Error | undefined, logger: Logger): void {
  const fields = { event: 'token-keys' };
  if (error === undefined) logger.info(fields, 'the keys of tokens were read again');
  else logger.error({ ...fields, error: error.message }, 'the new keys of tokens are not used');
}

async function storeOf({ options, kept, entries, shared, logger }: AccessParts): Promise<AccessStore> {
  const { memory, kafkaLogDirs, dataDir } = options;
  if (shared !== undefined) {
    const access = await SharedAccess.open(shared, logger);
    const { users, rules } = await access.read();
    if (users.length + rules.length === 0 && dataDir !== undefined)
      checkNotMarked(dataDir, 'its cluster has none');
    return access;
  }
  if (memory) return keepsNothing;
  if (kafkaLogDirs !== undefined && kept !== undefined && isEntryStore(kept.store))
    return new MarkedAccess(new AccessEntries(kept.store), kafkaLogDirs.directories[0]!);
  if (dataDir === undefined) return keepsNothing;
  if (entries === undefined || !entries.hasEntries) checkNotMarked(dataDir, 'its store cannot be read');
  if (entries === undefined) return cannotKeep;
  const { store, hasEntries, isKept } = entries;
  const marked = new MarkedAccess(new AccessEntries(store), dataDir);
  return {
    // Looking for users makes no files.
    read: () => (hasEntries ? marked.read() : keepsNothing.read()),
    async write(...change) {
      if (!(await isKept())) return cannotKeep.write(...change);
      return marked.write(...change);
    },
  };
}

/** The folder of the store is in use by another broker, or cannot be used. */
const cannotKeep: AccessStore = {
  read: keepsNothing.read,
  write: async () => {
    throw new StoreUnavailableError('failed', 'users cannot be kept, because the data folder cannot be used');
  },
};
