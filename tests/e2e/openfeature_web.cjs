// What openfeature_run.py runs beside openfeature_client.cjs: the web SDK and its provider, which
// keep the answers of a bulk evaluation and listen for changes. Node has all that they need of a
// browser but EventSource.
'use strict';
const assert = require('node:assert/strict');
globalThis.EventSource ??= require('eventsource').EventSource;
const { OpenFeature, ProviderEvents } = require('@openfeature/web-sdk');
const { OFREPWebProvider } = require('@openfeature/ofrep-web-provider');
const providersOwn = { paths: [require.resolve('@openfeature/ofrep-web-provider')] };
const { OFREPApi } = require(require.resolve('@openfeature/ofrep-core', providersOwn));

const baseUrl = process.env.PADDOCK_URL;
const token = process.env.PADDOCK_TOKEN;
const headers = [['X-API-Key', token]];
const answers = []; // status of each bulk evaluation

async function fetchImplementation(...request) {
    const reply = await fetch(...request);
    answers.push(reply.status);
    return reply;
}

async function change(method, path, body) {
    const reply = await fetch(`${baseUrl}/api/models/enterprise${path}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
    });
    assert.ok(reply.ok, `${method} ${path}: ${reply.status} ${await reply.clone().text()}`);
}

function everyType(client) {
    const bool = client.getBooleanDetails('bool', false);
    assert.equal(bool.value, true);
    assert.equal(bool.variant, 'on');
    assert.equal(bool.reason, 'STATIC');
    assert.equal(bool.flagMetadata.flag_revision, 1);
    assert.equal(client.getNumberValue('number', 0), 0.5);
    assert.deepEqual(client.getObjectValue('team:page', {}), { columns: 3, titles: ['x'] });
    const dead = client.getBooleanDetails('dead', true);
    assert.equal(dead.value, false);
    assert.equal(dead.reason, 'DISABLED');
}

function failures(client) {
    assert.equal(client.getBooleanDetails('nobody', true).errorCode, 'FLAG_NOT_FOUND');
    assert.equal(client.getBooleanValue('nobody', true), true);
    const mismatch = client.getNumberDetails('bool', 7);
    assert.equal(mismatch.value, 7);
    assert.equal(mismatch.errorCode, 'TYPE_MISMATCH');
    const missing = client.getStringDetails('text', 'mine');
    assert.equal(missing.value, 'mine');
    assert.equal(missing.errorCode, 'TARGETING_KEY_MISSING');
}

async function strangers() {
    const stranger = new OFREPWebProvider({ baseUrl, cacheMode: 'disabled' });
    await assert.rejects(OpenFeature.setProviderAndWait('stranger', stranger));
    assert.equal(OpenFeature.getClient('stranger').getBooleanValue('bool', false), false);
}

// The same context again is 304; another is answered, even where the unit is the same.
async function tags(client) {
    const ask = async (context) => {
        const before = answers.length;
        await OpenFeature.setContext(context);
        assert.equal(answers.length, before + 1);
        return answers[before];
    };
    assert.equal(await ask({ targetingKey: 'user-1', plan: 'pro' }), 200);
    const text = client.getStringValue('text', 'none');
    assert.equal(await ask({ targetingKey: 'user-1', plan: 'pro' }), 304);
    assert.equal(await ask({ targetingKey: 'user-1', plan: 'free' }), 200);
    assert.equal(client.getStringDetails('text', 'none').reason, 'SPLIT');
    assert.equal(client.getStringValue('text', 'none'), text);
}

// A unit gets the same here, kept, as alone, by the present version of the protocol's core.
async function sticky(client) {
    const api = new OFREPApi({ baseUrl, headers });
    const seen = new Set();
    for (let i = 0; i < 20; i++) {
        const context = { targetingKey: `user-${i}` };
        await OpenFeature.setContext(context);
        const kept = client.getStringValue('text', 'none');
        const alone = await api.postEvaluateFlag('text', { context });
        assert.equal(alone.value.value, kept);
        seen.add(kept);
    }
    assert.deepEqual(seen, new Set(['alpha', 'beta']));
    const page = await api.postEvaluateFlag('team:page', { context: {} });
    assert.equal(page.value.value.columns, 3);
    assert.equal((await api.postEvaluateFlag('a/b', {})).httpStatus, 404);
    api.close();
}

// Nobody asks for it: the stream tells, the provider fetches, the application is told which flags.
async function refetch(client) {
    const changed = async (flag, method, path, body) => {
        const told = new Promise((resolve) => {
            const handler = (event) => {
                if (!event.flagsChanged.includes(flag))
                    return;
                client.removeHandler(ProviderEvents.ConfigurationChanged, handler);
                resolve();
            };
            client.addHandler(ProviderEvents.ConfigurationChanged, handler);
        });
        await change(method, path, body);
        await told;
    };
    await changed('bool', 'PATCH', '/flags/bool', { killed: true, fallback_variant: 'off' });
    assert.equal(client.getBooleanDetails('bool', true).value, false);
    assert.equal(client.getBooleanDetails('bool', true).reason, 'DISABLED');
    await changed('bool', 'PATCH', '/flags/bool', { killed: false });
    assert.equal(client.getBooleanValue('bool', false), true);
    const fresh = { key: 'fresh', variants: { a: 1 }, default_variant: 'a' };
    await changed('fresh', 'POST', '/flags', fresh);
    assert.equal(client.getNumberValue('fresh', 0), 1);
}

async function main() {
    const provider = new OFREPWebProvider({
        baseUrl, headers, fetchImplementation, cacheMode: 'disabled',
    });
    await OpenFeature.setProviderAndWait(provider);
    const client = OpenFeature.getClient();
    for (const test of [everyType, failures, strangers, tags, sticky, refetch]) {
        await test(client);
        console.log(`ok web ${test.name}`);
    }
    await OpenFeature.close();
}

main().catch((failure) => {
    console.error(failure);
    process.exit(1);
});
