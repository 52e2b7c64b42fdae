import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import { certsProgram } from '../certs/flags.ts';
import {
  aclAddProgram,
  aclListProgram,
  aclRemoveProgram,
  aclTestProgram,
  limitsAddProgram,
  limitsListProgram,
  limitsRemoveProgram,
  limitsTestProgram,
  usersAddProgram,
  usersAlterProgram,
  usersDisableProgram,
  usersEnableProgram,
  usersHashProgram,
  usersListProgram,
  usersPasswdProgram,
  usersRemoveProgram,
} from './flags.ts';

export const access: CommandGroup<ListedCommand> = {
  title: 'Users, rules, limits and certificates',
  commands: [
    { program: usersAddProgram, load: async () => (await import('./users.ts')).add },
    { program: usersPasswdProgram, load: async () => (await import('./users.ts')).passwd },
    { program: usersAlterProgram, load: async () => (await import('./users.ts')).groups },
    { program: usersEnableProgram, load: async () => (await import('./users.ts')).enable },
    { program: usersDisableProgram, load: async () => (await import('./users.ts')).disable },
    { program: usersRemoveProgram, load: async () => (await import('./users.ts')).remove },
    { program: usersListProgram, load: async () => (await import('./users.ts')).list },
    { program: usersHashProgram, load: async () => (await import('./users.ts')).hash },
    { program: aclAddProgram, load: async () => (await import('./acl.ts')).add },
    { program: aclRemoveProgram, load: async () => (await import('./acl.ts')).remove },
    { program: aclListProgram, load: async () => (await import('./acl.ts')).list },
    { program: aclTestProgram, load: async () => (await import('./acl.ts')).test },
    { program: limitsAddProgram, load: async () => (await import('./limits.ts')).add },
    { program: limitsRemoveProgram, load: async () => (await import('./limits.ts')).remove },
    { program: limitsListProgram, load: async () => (await import('./limits.ts')).list },
    { program: limitsTestProgram, load: async () => (await import('./limits.ts')).test },
    { program: certsProgram, load: async () => (await import('../certs/certs.ts')).certs },
  ],
};
