import { goClients } from './support/clients.ts';
import { describeFamily } from './support/suite.ts';
import { go } from './support/toolchains.ts';

describeFamily('Go', await go(), goClients);
