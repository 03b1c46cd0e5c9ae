"""The system Paddock replaces, written as a fair peer: FastAPI, and Redis holding, per model, one list
of the last 10,000 latencies, a hash of counters and a hash with the model itself.

    REDIS_PORT=... /usr/bin/python3 -m uvicorn --app-dir tests/bench/peers fastapi_redis:app

With PERCENTILES=1 each record also computes p50, p95 and p99 from the list, as the original does.
With TUNED=1 the Redis client uses hiredis, where it is installed; else its own parser, as the plain
packages have it. Fair means: asynchronous handlers, one connection pool, one pipelined round trip a record, no
persistence in Redis, validation by pydantic and nothing more than the contract asks.
"""
import os

import redis.asyncio
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, Field
from redis.asyncio.connection import DefaultParser, PythonParser

SAMPLES = 10_000
PERCENTILES = os.environ.get("PERCENTILES") == "1"
PATH = "/api/models/enterprise/registry/{model_id}"

app = FastAPI()
parser = DefaultParser if os.environ.get("TUNED") == "1" else PythonParser
store = redis.asyncio.Redis(connection_pool=redis.asyncio.ConnectionPool(
    port=int(os.environ["REDIS_PORT"]), decode_responses=True, parser_class=parser))


class Record(BaseModel):
    latency_ms: float = Field(ge=0, le=86400000)
    success: bool = True


def percentiles(samples):
    ordered = sorted(map(float, samples))
    last = len(ordered) - 1
    return {f"p{p}": ordered[round(last * p / 100)] for p in (50, 95, 99)}


@app.put(PATH)
async def register(model_id: str, request: Request):
    """Keep a model, field by field."""
    fields = {k: str(v) for k, v in (await request.json()).items()}
    await store.hset(f"model:{model_id}", mapping=fields)
    return {"model_id": model_id}


@app.get(PATH)
async def model(model_id: str):
    fields = await store.hgetall(f"model:{model_id}")
    if not fields:
        raise HTTPException(404)
    return fields


@app.post(PATH + "/inference", status_code=202)
async def record(model_id: str, entry: Record):
    latencies, counters = f"latencies:{model_id}", f"counters:{model_id}"
    async with store.pipeline(transaction=False) as pipe:
        pipe.lpush(latencies, entry.latency_ms)
        pipe.ltrim(latencies, 0, SAMPLES - 1)
        pipe.hincrby(counters, "total", 1)
        pipe.hincrby(counters, "success" if entry.success else "failure", 1)
        if PERCENTILES:
            pipe.lrange(latencies, 0, -1)
        answers = await pipe.execute()
    if PERCENTILES:
        await store.hset(f"metrics:{model_id}", mapping=percentiles(answers[-1]))
    return {"accepted": 1}


@app.post(PATH + "/inference/preload", status_code=202)
async def preload(model_id: str, samples: list[float]):
    """Fill the list at once, so that a measurement starts with it full."""
    await store.rpush(f"latencies:{model_id}", *samples)
    return {"accepted": len(samples)}
