import { Access } from '../../access/access.ts';
import type { AccessChange, AccessSnapshot } from '../../access/directory.ts';
import { type Identity, identityOf } from '../../access/identity.ts';
import { type Policy, THE_BROKER } from '../../access/policy.ts';
import { shownLosses } from '../../limits/admin.ts';
import type { OpenConnection } from '../../observe/connections.ts';
import { fieldsOf } from '../forms.ts';
import {
  type BrokerParts,
  type Caller,
  defineOperation,
  flag,
  listOf,
  number,
  objectOf,
  text,
  texts,
} from '../operation.ts';
import { eachInSlices } from '../slices.ts';
import {
  type AlteredRuleInput,
  addedRule,
  alteredRule,
  type NewRuleInput,
  PLACE,
  QUESTION,
  type Question,
  VERDICT,
  type Verdict,
  verdictOf,
} from './rules.ts';
import { addedUser } from './users.ts';

/** A change of users or rules, as the operations take it that make it. */
export type PreviewedChange =
  | ({ readonly kind: 'add-rule' } & NewRuleInput)
  | ({ readonly kind: 'alter-rule' } & AlteredRuleInput)
  | { readonly kind: 'remove-rule'; readonly id: string }
  | {
      readonly kind: 'add-user';
      readonly name: string;
      readonly groups?: readonly string[];
      readonly admin?: boolean;
    }
  | {
      readonly kind: 'alter-user';
      readonly name: string;
      readonly groups?: readonly string[];
      readonly enabled?: boolean;
    }
  | { readonly kind: 'remove-user'; readonly name: string };

export interface PreviewInput {
  readonly change: PreviewedChange;
  readonly question?: Question;
}

/** Something that a connection has, and would not have any more. */
export interface Loss {
  readonly client: string;
  readonly user?: string | undefined;
  readonly door: string;
  readonly remote: string;
  /** A subscription that ends; undefined where the connection does. */
  readonly filter: string | undefined;
  readonly reason: string;
  readonly rule?: string | undefined;
}

export interface Preview {
  /** Whether whoever asks could still administer the broker. */
  readonly mayYouAdminister: boolean;
  /** Whether any user could who can log in. */
  readonly mayAnybodyAdminister: boolean;
  /** Whether clients have to show from then on who they are, and had not to before. */
  readonly closes: boolean;
  readonly losses: readonly Loss[];
  readonly lossCount: number;
  readonly verdict?: { readonly before: Verdict; readonly after: Verdict };
}

const changeOf = (kind: string, properties: Parameters<typeof objectOf>[0], required: readonly string[]) =>
  objectOf({ kind: { const: kind }, ...properties }, ['kind', ...required]);

const CHANGE = {
  anyOf: [
    changeOf('add-rule', { rule: { type: 'object' }, place: PLACE }, ['rule']),
    changeOf('alter-rule', { id: text, rule: { type: 'object' }, place: PLACE }, ['id']),
    changeOf('remove-rule', { id: text }, ['id']),
    changeOf('add-user', { name: text, groups: texts, admin: flag }, ['name']),
    changeOf('alter-user', { name: text, groups: texts, enabled: flag }, ['name']),
    changeOf('remove-user', { name: text }, ['name']),
  ],
};

const LOSS = objectOf(
  { client: text, user: text, door: text, remote: text, filter: text, reason: text, rule: text },
  ['client', 'door', 'remote', 'reason'],
);

export const previewChange = defineOperation({
  ...{
    name: 'access preview',
    summary: 'Says what a change of users or rules would end, and changes nothing.',
  },
  ...{ method: 'POST', path: '/access/preview', needs: { action: 'admin', resource: THE_BROKER } },
  body: objectOf({ change: CHANGE, question: QUESTION }, ['change']),
  answer: objectOf(
    {
      ...{ mayYouAdminister: flag, mayAnybodyAdminister: flag, closes: flag },
      losses: {
        ...listOf(LOSS),
        description: `Connections and subscriptions that would end, at most ${shownLosses} of them.`,
      },
      lossCount: number,
      verdict: objectOf({ before: VERDICT, after: VERDICT }),
    },
    ['mayYouAdminister', 'mayAnybodyAdminister', 'closes', 'losses', 'lossCount'],
  ),
  async run(parts: BrokerParts, { change, question }: PreviewInput, caller: Caller): Promise<Preview> {
    const { directory, rules } = parts;
    const { current } = directory;
    const next = directory.after(changesOf(current, change));
    const after = rules.with(next);
    const { losses, lossCount } = await lossesOf(parts, after);
    return {
      mayYouAdminister: caller.identity === undefined || mayAdminister(after, caller.identity),
      mayAnybodyAdminister: await hasAdministrator(after, next),
      closes: !current.isProtected && next.isProtected,
      ...{ losses, lossCount },
      ...(question !== undefined && {
        verdict: { before: verdictOf(rules, current, question), after: verdictOf(after, next, question) },
      }),
    };
  },
});

/** @throws AccessError, RuleError. */
function changesOf(current: AccessSnapshot, change: PreviewedChange): AccessChange[] {
  switch (change.kind) {
    case 'add-rule':
      return [addedRule(current, change)];
    case 'alter-rule':
      return [alteredRule(change)];
    case 'add-user': {
      const { name, groups, admin } = change;
      return addedUser(current, { name, admin, ...(groups && { groups }) });
    }
    case 'alter-user':
      return [{ kind: 'alter-user', name: change.name, fields: fieldsOf(change.name, change) }];
    case 'remove-user':
    case 'remove-rule':
      return [change];
  }
}

/** By all users who could log in. */
async function hasAdministrator(rules: Policy, { users, isProtected }: AccessSnapshot): Promise<boolean> {
  if (!isProtected) return true;
  let isThere = false;
  await eachInSlices(users.values(), (user) => {
    isThere ||=
      user.isEnabled && mayAdminister(rules, identityOf(NOWHERE, { user: user.name, groups: user.groups }));
  });
  return isThere;
}

const NOWHERE = { clientId: '', door: 'test', listener: 'test', remote: '', certificateName: undefined };

function mayAdminister(rules: Policy, who: Identity): boolean {
  return new Access(who, rules).may('admin', THE_BROKER.kind, THE_BROKER.name);
}

/** What the rules allow now to those who are here, and other rules would not. */
async function lossesOf(
  { connections, rules }: BrokerParts,
  after: Policy,
): Promise<Pick<Preview, 'losses' | 'lossCount'>> {
  const losses: Loss[] = [];
  let lossCount = 0;
  // The subscriptions of a connection that ends are not told of one by one.
  let ended: OpenConnection | undefined;
  await eachInSlices(heldBy(connections), ({ connection, identity, filter }) => {
    if (connection === ended) return;
    const then = new Access(identity, after);
    const reason = refusalOf(then, filter);
    if (reason === undefined || refusalOf(new Access(identity, rules), filter) !== undefined) return;
    if (filter === undefined) ended = connection;
    lossCount++;
    if (losses.length >= shownLosses) return;
    const { clientId: client, user, door, remote } = identity;
    losses.push({ client, user, door, remote, filter, reason, rule: ruleOf(then, filter) });
  });
  return { losses, lossCount };
}

interface Held {
  readonly connection: OpenConnection;
  readonly identity: Identity;
  /** Undefined: the connection itself. */
  readonly filter?: string;
}

/** What those have who are here. Requests of the HTTP door are asked about one by one, and none of them lasts. */
function* heldBy(connections: BrokerParts['connections']): Generator<Held> {
  for (const connection of connections) {
    const { identity } = connection;
    if (identity === undefined || connection.door === 'http') continue;
    yield { connection, identity };
    for (const filter of connection.standingFilters?.() ?? []) yield { connection, identity, filter };
  }
}

function refusalOf(access: Access, filter: string | undefined): string | undefined {
  return filter === undefined ? access.connectRefusal : access.filterRefusal(filter);
}

function ruleOf(access: Access, filter: string | undefined): string | undefined {
  if (filter !== undefined) return access.filterRule(filter);
  return access.decidingRule('connect', THE_BROKER.kind, THE_BROKER.name);
}
