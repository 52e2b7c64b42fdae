import { useMemo, useState } from 'preact/hooks';
import type { Message } from '../../api/types.ts';
import { bytes, clock } from '../../lib/format.ts';
import {
  hexDump,
  likelyView,
  type PayloadView,
  payloadBytes,
  prettyJson,
  SHOWN_BYTES,
} from '../../lib/payload.ts';
import { linkTo } from '../../lib/route.ts';
import { Facts } from '../../parts/basics.tsx';

/** A message with all that is known of it. */
export function MessageView({ message }: { message: Message }) {
  const { clientId, qos, retain, contentType, responseTopic, correlationData, userProperties } = message;
  const { log, partition, offset, publishedAt, expiresAt } = message;
  return (
    <div class="message">
      <Payload message={message} />
      <Facts
        facts={[
          ['Topic', <span class="mono name">{message.topic}</span>],
          [
            'From',
            <a class="name" href={linkTo(['clients', clientId])}>
              {clientId}
            </a>,
          ],
          ['Published', publishedAt && clock(publishedAt)],
          ['Log', log && <span class="mono name">{log}</span>],
          ['Partition', partition],
          ['Offset', offset],
          ['QoS', qos ?? 0],
          ['Retained', retain ? 'yes' : undefined],
          ['Content type', contentType],
          ['Response topic', responseTopic && <span class="mono name">{responseTopic}</span>],
          ['Correlation data', correlationData && <span class="mono name">{correlationData}</span>],
          ['Expires', expiresAt && clock(expiresAt)],
        ]}
      />
      {userProperties && userProperties.length > 0 && (
        <>
          <h3>User properties and headers</h3>
          <Facts facts={userProperties.map(({ name, value }) => [name, <span class="name">{value}</span>])} />
        </>
      )}
    </div>
  );
}

const VIEWS: readonly { id: PayloadView; name: string }[] = [
  { id: 'text', name: 'Text' },
  { id: 'json', name: 'JSON' },
  { id: 'hex', name: 'Bytes' },
];

function Payload({ message }: { message: Message }) {
  const [chosen, setChosen] = useState<PayloadView>();
  const view = chosen ?? likelyView(message);
  const all = useMemo(() => payloadBytes(message), [message]);
  const shown = useMemo(() => textOf(message, all, view), [message, all, view]);
  return (
    <>
      <div class="payload-head">
        <fieldset class="segments">
          <legend class="unseen">Show the payload as</legend>
          {VIEWS.map(({ id, name }) => (
            <button key={id} type="button" aria-pressed={id === view} onClick={() => setChosen(id)}>
              {name}
            </button>
          ))}
        </fieldset>
        <span class="quiet">
          {bytes(all.length)}
          {all.length > SHOWN_BYTES && `, of which ${bytes(SHOWN_BYTES)} are shown`}
        </span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard. */}
      <section class="payload" tabIndex={0} aria-label="Payload">
        <pre>{shown}</pre>
      </section>
    </>
  );
}

function textOf(message: Message, all: Uint8Array, view: PayloadView): string {
  const shown = all.subarray(0, SHOWN_BYTES);
  if (view === 'hex') return hexDump(shown);
  const text = new TextDecoder().decode(view === 'json' ? all : shown);
  if (view === 'text' || message.encoding === 'base64') return text.slice(0, SHOWN_BYTES);
  return prettyJson(text)?.slice(0, SHOWN_BYTES) ?? 'This payload is not JSON.';
}
