import { javaClients } from './support/clients.ts';
import { describeFamily } from './support/suite.ts';
import { java } from './support/toolchains.ts';

describeFamily('Java', await java(), javaClients);
