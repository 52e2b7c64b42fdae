import { LIMIT_NAMES } from '../../../internal/access/limits/limit.ts';
import { choice, list, type OptionTable, text, toggle } from '../../cli/options/option.ts';
import type { Operands, Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { placeOptions } from '../reach/flags.ts';

const outputOptions = {
  json: toggle({ group: 'Output', help: 'print the result as JSON' }),
  options: kafkaOptions.options,
};

const quiet = toggle({ group: 'Output', help: 'print nothing unless it fails' });
const groups = list({ group: 'User', placeholder: 'NAME', help: 'the groups of the user' });

const passwordFile = text({
  group: 'User',
  placeholder: 'FILE',
  help: 'a file whose first line is the password; - is the standard input; asked for unless given',
});

const common = { ...placeOptions, ...outputOptions, quiet };
const name: Operands = { usage: 'NAME', help: 'the name of the user', min: 1, max: 1 };

function program<Table extends OptionTable>(given: Omit<Program<Table>, 'fileFlag'>): Program<Table> {
  return { ...given, fileFlag: optionsFileFlag };
}

export const usersAddProgram = program({
  name: 'tinymq users add',
  summary: 'Makes a user, and asks for the password.',
  options: {
    groups,
    admin: toggle({
      group: 'User',
      help: 'the user may do everything: it gets into the group admin, and the first rule allows everything to that',
    }),
    'password-file': passwordFile,
    'no-password': toggle({ group: 'User', help: 'the user logs in with a certificate or a token only' }),
    ...common,
  },
  operands: name,
  examples: [
    'tinymq users add anna -admin',
    'tinymq users add sensor-7 -groups devices -password-file sensor-7.txt',
    'tinymq users add ben -data-dir /var/lib/tinymq',
  ],
});

export const usersPasswdProgram = program({
  name: 'tinymq users passwd',
  summary: 'Gives a user another password; clients with the one before are disconnected.',
  options: { 'password-file': passwordFile, ...common },
  operands: name,
  examples: ['tinymq users passwd anna'],
});

export const usersAlterProgram = program({
  name: 'tinymq users groups',
  summary: 'Puts a user into these groups and no others.',
  options: { groups, ...common },
  operands: name,
  examples: ['tinymq users groups anna -groups staff,admin', 'tinymq users groups anna'],
});

export const usersRemoveProgram = program({
  name: 'tinymq users remove',
  summary: 'Removes a user, and disconnects its clients.',
  options: common,
  operands: name,
  examples: ['tinymq users remove anna'],
});

export const usersEnableProgram = program({
  name: 'tinymq users enable',
  summary: 'Lets a user in again that was disabled.',
  options: common,
  operands: name,
  examples: ['tinymq users enable anna'],
});

export const usersDisableProgram = program({
  name: 'tinymq users disable',
  summary: 'Lets a user in no more, and disconnects its clients.',
  options: common,
  operands: name,
  examples: ['tinymq users disable anna'],
});

export const usersListProgram = program({
  name: 'tinymq users list',
  summary: 'Shows all users with their groups, and what they log in with.',
  options: { ...placeOptions, ...outputOptions },
  examples: ['tinymq users list', 'tinymq users list -json'],
});

export const usersHashProgram = program({
  name: 'tinymq users hash',
  summary: 'Makes a hash of a password, as it stands in a file of users.',
  options: { 'password-file': passwordFile, ...outputOptions },
  operands: { usage: '[NAME]', help: 'prints the lines of this user', min: 0, max: 1 },
  examples: ['tinymq users hash anna', 'tinymq users hash -password-file secret.txt'],
});

const ruleOptions = {
  allow: list({
    group: 'Rule',
    placeholder: 'ACTION',
    help: 'what is allowed: connect, publish, subscribe, create, delete, alter, describe, admin, all',
  }),
  deny: list({ group: 'Rule', placeholder: 'ACTION', help: 'what is denied' }),
  users: list({ group: 'Rule', placeholder: 'NAME', help: 'for these users; * is everybody' }),
  groups: list({ group: 'Rule', placeholder: 'NAME', help: 'for the members of these groups' }),
  hosts: list({ group: 'Rule', placeholder: 'NETWORK', help: 'for clients from these addresses only' }),
  topics: list({
    group: 'Rule',
    placeholder: 'FILTER',
    aliases: ['topic'],
    help: 'on the topics that match; %u is the name of the user, %c the client id',
  }),
  'consumer-groups': list({ group: 'Rule', placeholder: 'GLOB', help: "on groups of Kafka's consumers" }),
  'transactional-ids': list({
    group: 'Rule',
    placeholder: 'GLOB',
    help: "on transactions of Kafka's producers",
  }),
  sessions: list({ group: 'Rule', placeholder: 'GLOB', help: 'on clients with these ids' }),
  broker: toggle({ group: 'Rule', help: 'on the broker itself' }),
  id: text({ group: 'Rule', placeholder: 'ID', help: 'the name of the rule; made up unless given' }),
  first: toggle({ group: 'Rule', help: 'ask it before all others; it comes last unless said' }),
  before: text({ group: 'Rule', placeholder: 'ID', help: 'ask it before the rule of this id' }),
};

export const aclAddProgram = program({
  name: 'tinymq acl add',
  summary: 'Adds a rule. The first rule that is about an action decides; what none is about is refused.',
  options: { ...ruleOptions, ...common },
  examples: [
    "tinymq acl add -allow publish -groups devices -topics 'devices/%u/#'",
    "tinymq acl add -deny subscribe -users '*' -topics 'secret/#' -first",
    "tinymq acl add -allow publish,subscribe,create -groups team -topics 'orders' -consumer-groups 'billing-*'",
  ],
});

export const aclRemoveProgram = program({
  name: 'tinymq acl remove',
  summary: 'Removes a rule.',
  options: common,
  operands: { usage: 'ID', help: 'the id of the rule, as tinymq acl list shows it', min: 1, max: 1 },
  examples: ['tinymq acl remove rule-1a2b3c4d'],
});

export const aclListProgram = program({
  name: 'tinymq acl list',
  summary: 'Shows all rules in the order in which they are asked.',
  options: { ...placeOptions, ...outputOptions },
  examples: ['tinymq acl list'],
});

export const KINDS = ['topic', 'group', 'transactional-id', 'session', 'broker'] as const;

export const aclTestProgram = program({
  name: 'tinymq acl test',
  summary: 'Says whether a user may do something, and which rule decides; exit code 0 for yes, 1 for no.',
  options: {
    kind: choice(KINDS, { group: 'Question', default: 'topic', help: 'what the last word names' }),
    id: text({ group: 'Question', placeholder: 'ID', default: '', help: 'the client id' }),
    host: text({ group: 'Question', placeholder: 'ADDRESS', default: '', help: 'where the client is' }),
    groups: list({ group: 'Question', placeholder: 'NAME', help: 'more groups, as a token gives them' }),
    ...placeOptions,
    ...outputOptions,
  },
  operands: {
    usage: 'USER ACTION TOPIC',
    help: 'the user (anonymous: without one), what it wants to do, and with what',
    min: 2,
    max: 3,
  },
  examples: [
    "tinymq acl test anna subscribe 'sensors/#'",
    'tinymq acl test anonymous publish sensors/temp',
    'tinymq acl test ben read billing -kind group',
  ],
});

const limitOptions = {
  user: text({ group: 'Limit', placeholder: 'NAME', help: 'for this user' }),
  group: text({ group: 'Limit', placeholder: 'NAME', help: 'for the members of this group' }),
  client: text({ group: 'Limit', placeholder: 'ID', help: 'for the client of this id' }),
  id: text({ group: 'Limit', placeholder: 'ID', help: 'the name of the limit; made up unless given' }),
};

export const limitsAddProgram = program({
  name: 'tinymq limits add',
  summary:
    'Adds a limit: what a user, a group or a client may use at most. Without any of them it is for everybody else.',
  options: { ...limitOptions, ...common },
  operands: {
    usage: 'NAME=VALUE...',
    help: 'what is bounded, and by what: docs/limits.md has the names',
    min: 1,
    max: LIMIT_NAMES.length,
  },
  examples: [
    'tinymq limits add connections=1000 messagesInPerSecond=5000 -group devices',
    'tinymq limits add bytesOutPerSecond=10000000 subscriptions=100 -user dashboard -id dashboard',
    'tinymq limits add connections=10',
  ],
});

export const limitsRemoveProgram = program({
  name: 'tinymq limits remove',
  summary: 'Removes a limit.',
  options: common,
  operands: { usage: 'ID', help: 'the id of the limit, as tinymq limits list shows it', min: 1, max: 1 },
  examples: ['tinymq limits remove dashboard'],
});

export const limitsListProgram = program({
  name: 'tinymq limits list',
  summary: 'Shows all limits.',
  options: { ...placeOptions, ...outputOptions },
  examples: ['tinymq limits list'],
});

export const limitsTestProgram = program({
  name: 'tinymq limits test',
  summary: 'Says what holds for a user, and which limit says so.',
  options: {
    id: text({ group: 'Question', placeholder: 'ID', default: '', help: 'the client id' }),
    groups: list({ group: 'Question', placeholder: 'NAME', help: 'more groups, as a token gives them' }),
    ...placeOptions,
    ...outputOptions,
  },
  operands: { usage: 'USER', help: 'the user (anonymous: a client without one)', min: 1, max: 1 },
  examples: ['tinymq limits test anna', 'tinymq limits test anonymous -id sensor-7'],
});
