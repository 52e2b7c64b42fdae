/** What messages of a cluster hold, in the words of whoever looks after it. */
export interface Kind {
  readonly one: string;
  readonly many: string;
  /** What comes of it where no server has them any more. */
  readonly loss: string;
}

/** How many messages of a kind. */
export interface KindCount {
  readonly kind: Kind;
  readonly count: number;
}

export const RECORD_BATCH: Kind = {
  one: 'record batch',
  many: 'record batches',
  loss: 'readers are told that they are damaged, and go on behind them.',
};

/** By where they lie and the letter of their subjects: see messages.ts, meta.ts and jetstream-tables.ts. */
const KINDS: Readonly<Partial<Record<string, Kind>>> = {
  'shard.l': RECORD_BATCH,
  'shard.m': {
    one: 'marker of an owner',
    many: 'markers of owners',
    loss: 'a broker claims the shard anew.',
  },
  'shard.f': {
    one: 'first offset of a partition',
    many: 'first offsets of partitions',
    loss: 'offsets below it count as damaged until retention takes something again.',
  },
  'shard.d': {
    one: 'deletion of a partition',
    many: 'deletions of partitions',
    loss: 'nothing was in them any more.',
  },
  'shard.g': {
    one: 'commit of a group',
    many: 'commits of groups',
    loss: 'these groups begin where their clients say, such as by auto.offset.reset, unless somebody sets them (tinymq groups reset).',
  },
  'shard.h': {
    one: 'list of members of a group',
    many: 'lists of members of groups',
    loss: 'their members join once more.',
  },
  'meta.t': {
    one: 'topic',
    many: 'topics',
    loss: 'brokers that start from now on do not know these topics; stop none, and export what is in them (tinymq logs export).',
  },
  'meta.k': {
    one: 'value that brokers agreed on',
    many: 'values that brokers agreed on',
    loss: 'counters begin anew there, so that what they give may be given twice: start no broker, and restore the stream from a backup.',
  },
  'shared.r': {
    one: 'retained message',
    many: 'retained messages',
    loss: 'brokers that start from now on do not have them; publish them once more.',
  },
  'shared.w': { one: 'will', many: 'wills', loss: 'they are not published.' },
  'shared.a': {
    one: 'user, rule or limit',
    many: 'users, rules and limits',
    loss: 'brokers that start from now on do not have them; write them once more (tinymq users).',
  },
};

const OTHER: Kind = { one: 'message', many: 'messages', loss: 'no broker wrote them, and none misses them.' };

/** What a message of a cluster holds, by its subject. */
export function kindOf(cluster: string, subject: string): Kind {
  const [place = '', letter = ''] = subject.slice(cluster.length + 1).split('.');
  return KINDS[`${/^\d+$/.test(place) ? 'shard' : place}.${letter}`] ?? OTHER;
}

/** Messages by their kinds. */
export function kindCounts(cluster: string, subjects: Iterable<string>): KindCount[] {
  const counts = new Map<Kind, number>();
  for (const subject of subjects) {
    const kind = kindOf(cluster, subject);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => ({ kind, count }));
}

/** As `3 commits of groups`. */
export function kindText({ kind, count }: KindCount): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? kind.one : kind.many}`;
}
