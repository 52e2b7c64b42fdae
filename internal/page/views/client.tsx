import { useState } from 'preact/hooks';
import { ask } from '../api/api.ts';
import type { ClientDetails, Fates } from '../api/types.ts';
import { LIVE_MS, useQuery } from '../api/use-query.ts';
import { ago, bytes, clock, count, duration } from '../lib/format.ts';
import { useMayAdmin } from '../lib/me.ts';
import { linkTo, type Route } from '../lib/route.ts';
import { goTo } from '../lib/use-route.ts';
import { Answer, Badge, Card, Empty, Facts, ViewHead } from '../parts/basics.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { FateList } from '../parts/fates.tsx';

/** One client whole. */
export function ClientView({ route }: { route: Route }) {
  const id = route.path[1] ?? '';
  const query = useQuery<ClientDetails>(`clients/${encodeURIComponent(id)}`, {}, LIVE_MS);
  const [isEnding, setIsEnding] = useState(false);
  const mayAdmin = useMayAdmin();
  const name = query.data?.clientId || `connection ${id}`;
  return (
    <>
      <ViewHead
        title={
          <>
            <a class="up" href={linkTo(['clients'])}>
              Clients
            </a>
            <span class="name">{name}</span>
          </>
        }
      >
        {mayAdmin && query.data && (
          <button type="button" class="danger" onClick={() => setIsEnding(true)}>
            Disconnect
          </button>
        )}
      </ViewHead>
      <Answer query={query}>{(client) => <Client client={client} />}</Answer>
      {isEnding && (
        <Confirm
          title={`Disconnect ${name}?`}
          verb="Disconnect"
          done={`${name} is disconnected.`}
          act={async () => {
            await ask(`clients/${encodeURIComponent(id)}`, { method: 'DELETE' });
            goTo(['clients']);
          }}
          onClose={() => setIsEnding(false)}
        >
          <p>Its connection ends, and it is told why. It may connect again at once; a rule keeps it out.</p>
        </Confirm>
      )}
    </>
  );
}

function Client({ client }: { client: ClientDetails }) {
  const { door, user, groups, remote, listener, sinceMs, certificateName, credentialsExpireAt } = client;
  return (
    <div class="columns">
      <Card title="Who it is">
        <Facts
          facts={[
            ['Client id', <span class="name">{client.clientId || 'without an id'}</span>],
            ['User', user ?? <span class="quiet">anonymous</span>],
            ['Groups', groups?.join(', ')],
            ['Certificate', certificateName],
            ['Credentials end', credentialsExpireAt && clock(credentialsExpireAt)],
            ['Door', <Badge>{door}</Badge>],
            ['From', <span class="mono">{remote}</span>],
            ['Listener', <span class="mono">{listener}</span>],
            ['Connected', `${ago(sinceMs)}, at ${clock(sinceMs)}`],
          ]}
        />
      </Card>
      <Card title="What went through">
        <Facts
          facts={[
            ['Sent by it', `${count(client.received)} messages`],
            ['Got by it', `${count(client.sent)} messages`],
            ['Requests or calls', client.requests > 0 ? count(client.requests) : undefined],
            ['Bytes sent by it', bytes(client.receivedBytes)],
            ['Bytes got by it', bytes(client.sentBytes)],
            ['Waiting for it', count(client.waiting)],
          ]}
        />
      </Card>
      {client.session && <SessionCard session={client.session} />}
      <Filters client={client} />
      <ClientFates clientId={client.clientId} />
    </div>
  );
}

function SessionCard({ session }: { session: NonNullable<ClientDetails['session']> }) {
  const { waitingMessages, waitingBytes, unacknowledgedMessages, subscriptions, expiryMs } = session;
  return (
    <Card title="Session">
      <Facts
        facts={[
          ['Waiting messages', count(waitingMessages)],
          ['Waiting bytes', bytes(waitingBytes)],
          ['Not acknowledged yet', count(unacknowledgedMessages)],
          ['Subscriptions', count(subscriptions)],
          [
            'Lasts after it has gone',
            expiryMs === null ? 'for ever' : expiryMs === 0 ? 'not' : duration(expiryMs),
          ],
        ]}
      />
    </Card>
  );
}

function Filters({ client: { filters, filterCount } }: { client: ClientDetails }) {
  return (
    <Card title="Filters">
      {filters.length === 0 ? (
        <Empty title="It has subscribed to nothing." />
      ) : (
        <ul class="filters">
          {filters.map((filter) => (
            <li key={filter}>
              <a class="mono name" href={linkTo(['topics'], { topic: filter, tab: 'follow' })}>
                {filter}
              </a>
            </li>
          ))}
          {filterCount > filters.length && (
            <li class="quiet">and {count(filterCount - filters.length)} more</li>
          )}
        </ul>
      )}
    </Card>
  );
}

function ClientFates({ clientId }: { clientId: string }) {
  const fates = useQuery<Fates>(clientId === '' ? undefined : 'why', { client: clientId, limit: 20 });
  if (clientId === '') return null;
  return (
    <Card title="Why: what happened to it">
      <Answer query={fates}>
        {(data) =>
          data.fates.length === 0 ? (
            <Empty title="Nothing was refused, dropped or lost." />
          ) : (
            <FateList fates={data.fates} hideClient />
          )
        }
      </Answer>
    </Card>
  );
}
