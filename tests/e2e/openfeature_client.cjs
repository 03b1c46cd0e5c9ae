// What openfeature_run.py runs: PADDOCK_URL and PADDOCK_TOKEN say whom to ask.
'use strict';
const assert = require('node:assert/strict');
const { OpenFeature } = require('@openfeature/server-sdk');
const { OFREPProvider } = require('@openfeature/ofrep-provider');
const { OFREPApi } = require('@openfeature/ofrep-core');

const baseUrl = process.env.PADDOCK_URL;
const Authorization = `Bearer ${process.env.PADDOCK_TOKEN}`;
const UNITS = 400;

async function clientOf(domain, headers) {
    await OpenFeature.setProviderAndWait(domain, new OFREPProvider({ baseUrl, headers }));
    return OpenFeature.getClient(domain);
}

async function everyType(client) {
    const bool = await client.getBooleanDetails('bool', false, {});
    assert.equal(bool.value, true);
    assert.equal(bool.variant, 'on');
    assert.equal(bool.reason, 'STATIC');
    assert.equal(bool.flagMetadata.flag_revision, 1);
    assert.equal(await client.getNumberValue('number', 0), 0.5);
    assert.deepEqual(await client.getObjectValue('team:page', {}), { columns: 3, titles: ['x'] });
    const dead = await client.getBooleanDetails('dead', true);
    assert.equal(dead.value, false);
    assert.equal(dead.reason, 'DISABLED');
}

// Half and half, each unit always the same, and the same alone as in bulk.
async function split(client) {
    const counts = { alpha: 0, beta: 0 };
    const api = new OFREPApi(baseUrl);
    for (let i = 0; i < UNITS; i++) {
        const context = { targetingKey: `user-${i}` };
        const details = await client.getStringDetails('text', 'none', context);
        assert.equal(details.reason, 'SPLIT');
        counts[details.value]++;
        if (i % 40)
            continue;
        assert.equal(await client.getStringValue('text', 'none', context), details.value);
        const bulk = await api.postBulkEvaluateFlags({ context }, { headers: { Authorization } });
        const same = bulk.value.flags.find((flag) => flag.key === 'text');
        assert.equal(same.value, details.value);
    }
    assert.ok(counts.alpha > UNITS * 0.35 && counts.beta > UNITS * 0.35, JSON.stringify(counts));
}

// The flag decides for a route: which model that makes, and by which decision.
async function models(client) {
    const seen = new Set();
    for (let i = 0; i < 20; i++) {
        const context = { targetingKey: `user-${i}` };
        const { variant, flagMetadata } = await client.getStringDetails('text', 'none', context);
        const version = variant === 'a' ? '1.0' : '1.1';
        assert.equal(flagMetadata.model_id, `page:${version}`);
        assert.equal(flagMetadata.version, version);
        const url = `${baseUrl}/api/models/enterprise/selection/decisions/`;
        const answer = await fetch(url + flagMetadata.decision_id, { headers: { Authorization } });
        assert.equal((await answer.json()).model_id, flagMetadata.model_id);
        seen.add(variant);
    }
    assert.equal(seen.size, 2);
    const other = await client.getBooleanDetails('bool', false, {});
    assert.equal(other.flagMetadata.model_id, undefined);
    const api = new OFREPApi(baseUrl);
    const context = { targetingKey: 'user-1' };
    const bulk = await api.postBulkEvaluateFlags({ context }, { headers: { Authorization } });
    const { metadata } = bulk.value.flags.find((flag) => flag.key === 'text');
    assert.ok(metadata.model_id.startsWith('page:1.') && metadata.version);
    assert.equal(metadata.decision_id, undefined);
}

async function failures(client) {
    const none = await client.getBooleanDetails('nobody', true);
    assert.equal(none.value, true);
    assert.equal(none.errorCode, 'FLAG_NOT_FOUND');
    const missing = await client.getStringDetails('text', 'mine', {});
    assert.equal(missing.value, 'mine');
    assert.equal(missing.errorCode, 'TARGETING_KEY_MISSING');
    const mismatch = await client.getNumberDetails('bool', 7, {});
    assert.equal(mismatch.value, 7);
    assert.equal(mismatch.errorCode, 'TYPE_MISMATCH');
    const stranger = await clientOf('stranger', {});
    const refused = await stranger.getBooleanDetails('bool', false);
    assert.equal(refused.value, false);
    assert.equal(refused.errorCode, 'GENERAL');
}

async function bulkTwice() {
    const api = new OFREPApi(baseUrl);
    const request = { context: { targetingKey: 'user-1' } };
    const first = await api.postBulkEvaluateFlags(request, { headers: { Authorization } });
    assert.equal(first.httpStatus, 200);
    assert.equal(first.value.flags.length, 5);
    const known = { Authorization, 'If-None-Match': first.httpResponse.headers.get('etag') };
    const second = await api.postBulkEvaluateFlags(request, { headers: known });
    assert.equal(second.httpStatus, 304);
}

async function otherNamespace() {
    const client = await clientOf('odds', { Authorization, 'Paddock-Namespace': 'odds' });
    assert.equal(await client.getBooleanValue('bool', false), true);
    assert.equal((await client.getBooleanDetails('number', false)).errorCode, 'FLAG_NOT_FOUND');
}

async function main() {
    const client = await clientOf('default', { Authorization });
    for (const test of [everyType, split, models, failures, bulkTwice, otherNamespace]) {
        await test(client);
        console.log(`ok ${test.name}`);
    }
    await OpenFeature.close();
}

main().catch((failure) => {
    console.error(failure);
    process.exit(1);
});
