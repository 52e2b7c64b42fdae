import type { Action } from '../../../internal/access/policy.ts';
import { addRule, listRules, removeRule, testRules } from '../../../internal/admin/operations/rules.ts';
import { quoted } from '../../../internal/errors.ts';
import { suggestion } from '../../../internal/lib/nearest.ts';
import { UsageError } from '../../cli/options/program.ts';
import { type Command, command, EXIT_DONE, EXIT_FAILED, invocationOf } from '../../cli/run-program.ts';
import { withAdmin } from '../reach/reach.ts';
import { aclAddProgram, aclListProgram, aclRemoveProgram, aclTestProgram } from './flags.ts';
import { print, printTable, report, split } from './output.ts';

export const add = command(aclAddProgram, async (invocation) => {
  const { values, given } = invocation;
  if (given.has('allow') === given.has('deny'))
    throw new UsageError('a rule has either -allow or -deny, with actions');
  if (values.first && values.before !== undefined)
    throw new UsageError('-first and -before contradict each other');
  const lists = {
    users: split(values.users),
    groups: split(values.groups),
    hosts: split(values.hosts),
    topics: values.topics,
    consumerGroups: values['consumer-groups'],
    transactionalIds: values['transactional-ids'],
    sessions: values.sessions,
  };
  const named = Object.fromEntries(Object.entries(lists).filter(([, items]) => items.length > 0));
  const rule = {
    ...(values.id !== undefined && { id: values.id }),
    ...(given.has('allow') ? { allow: split(values.allow) } : { deny: split(values.deny) }),
    ...named,
    ...(values.broker && { broker: true }),
  };
  const place = values.before === undefined ? (values.first ? 'first' : 'last') : { before: values.before };
  const added = await withAdmin(invocation, (admin) => admin.call(addRule, { rule, place }));
  report(values, added, `Added rule ${added.id}: ${added.text}`);
});

export const remove = command(aclRemoveProgram, async (invocation) => {
  const id = invocation.operands[0]!;
  await withAdmin(invocation, (admin) => admin.call(removeRule, { id }));
  report(invocation.values, { removed: id }, `Removed rule ${quoted(id)}.`);
});

export const list = command(aclListProgram, async (invocation) => {
  const rules = await withAdmin(invocation, (admin) => admin.call(listRules, {}));
  if (invocation.values.json) {
    print(rules);
    return;
  }
  printTable(
    ['#', 'ID', 'FROM', 'RULE'],
    rules.map(({ position, id, origin, text }) => [String(position), id, origin, text]),
  );
});

export const test: Command = {
  program: aclTestProgram,
  async run(argv, context) {
    const invocation = await invocationOf(aclTestProgram, argv, context);
    const { values, operands } = invocation;
    const [user, action, name = ''] = operands as [string, string, string?];
    if (name === '' && action !== 'connect' && values.kind !== 'broker')
      throw new UsageError('TOPIC is missing: what the user wants to do it with');
    const question = {
      ...(user === 'anonymous' ? {} : { user }),
      ...{ groups: split(values.groups), clientId: values.id, host: values.host },
      ...{ action: actionOf(action), kind: action === 'connect' ? ('broker' as const) : values.kind, name },
    };
    const verdict = await withAdmin(invocation, (admin) => admin.call(testRules, question));
    if (values.json) print({ ...question, ...verdict });
    else process.stdout.write(`${verdict.isAllowed ? 'allowed' : 'denied'}: ${explanation(user, verdict)}\n`);
    return verdict.isAllowed ? EXIT_DONE : EXIT_FAILED;
  },
};

function explanation(
  user: string,
  {
    reason,
    rule,
    isKnownUser,
  }: { reason: string; rule?: { id: string; position: number; text: string }; isKnownUser: boolean },
): string {
  const why = rule === undefined ? reason : `rule ${rule.position}, ${rule.id}: ${rule.text}`;
  const isStranger = user !== 'anonymous' && !isKnownUser;
  return isStranger ? `${why} (there is no user ${quoted(user)})` : why;
}

function actionOf(word: string): Action {
  const found = ACTIONS.find((action) => action === word);
  if (found !== undefined) return found;
  throw new UsageError(
    `ACTION is one of ${ACTIONS.join(', ')}, not ${quoted(word)}${suggestion(word, ACTIONS)}`,
  );
}

const EVERY_ACTION: Readonly<Record<Action, true>> = {
  ...{ connect: true, publish: true, subscribe: true, read: true, write: true, create: true, delete: true },
  ...{ alter: true, 'alter-configs': true, describe: true, 'describe-configs': true, admin: true },
};
const ACTIONS = Object.keys(EVERY_ACTION) as readonly Action[];
