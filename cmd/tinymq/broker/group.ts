import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { check } from './check.ts';
import * as clients from './clients.ts';
import * as groups from './groups.ts';
import * as logs from './logs.ts';
import { exportLogs } from './logs-export.ts';
import { importLogs } from './logs-import.ts';
import * as retained from './retained.ts';
import { exportRetainedMessages } from './retained-export.ts';
import { importRetainedMessages } from './retained-import.ts';
import * as sessions from './sessions.ts';
import { status } from './status.ts';

export const broker: CommandGroup<Command> = {
  title: 'A broker that runs',
  commands: [
    ...[status, check],
    ...[clients.ls, clients.show, clients.kick],
    ...[sessions.ls, sessions.rm, sessions.subscriptions],
    ...[retained.ls, retained.get, retained.rm, exportRetainedMessages, importRetainedMessages],
    ...[logs.ls, logs.show, exportLogs, importLogs],
    ...[groups.ls, groups.show, groups.reset, groups.rm],
  ],
};
