import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { certs } from '../certs/certs.ts';
import * as acl from './acl.ts';
import * as limits from './limits.ts';
import * as users from './users.ts';

export const access: CommandGroup<Command> = {
  title: 'Users, rules, limits and certificates',
  commands: [
    ...[users.add, users.passwd, users.groups, users.enable, users.disable, users.remove],
    ...[users.list, users.hash],
    ...[acl.add, acl.remove, acl.list, acl.test],
    ...[limits.add, limits.remove, limits.list, limits.test],
    certs,
  ],
};
