import type { Suite } from '../cli/options/suite.ts';
import type { ListedCommand } from '../cli/run-program.ts';
import { access } from './access/group.ts';
import { broker } from './broker/group.ts';
import { cluster } from './cluster/group.ts';
import { completionGroup } from './completion/completion.ts';
import { configuration } from './config/group.ts';
import { contexts } from './context/group.ts';
import { groups } from './groups/group.ts';
import { imports } from './import/group.ts';
import { observe } from './observe/group.ts';
import { records } from './records/group.ts';
import { smq } from './smq/group.ts';
import { store } from './store/group.ts';
import { topics } from './topics/group.ts';

/** All commands; each group is a folder with a `group.ts`. */
export const tinymqSuite: Suite<ListedCommand> = {
  name: 'tinymq',
  summary: 'Administers a broker, here or far away, and reads and writes topics, of Apache Kafka too.',
  groups: [
    broker,
    observe,
    topics,
    groups,
    records,
    access,
    smq,
    imports,
    store,
    cluster,
    configuration,
    contexts,
    completionGroup(() => tinymqSuite),
  ],
};
