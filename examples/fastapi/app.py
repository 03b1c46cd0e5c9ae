"""A FastAPI application that serves a model and reports each inference to Paddock.

    WORKDIR=... PADDOCK_URL=http://127.0.0.1:8080 uvicorn app:app

WORKDIR is a directory that ../breast-cancer/train.py filled; the model is its version 2.0.0, already
registered in Paddock by ../breast-cancer/register.py.
"""
import os

import numpy as np
import xgboost
from fastapi import FastAPI, Request
from pydantic import BaseModel, conlist

from reporter import PaddockMiddleware, Reporter

MODEL_ID = "breast-cancer:2.0.0"

model = xgboost.Booster({"nthread": 1}, model_file=os.path.join(os.environ["WORKDIR"], "2.0.0.json"))
app = FastAPI(title="Breast cancer")
reporter = Reporter(os.environ.get("PADDOCK_URL", "http://127.0.0.1:8080"))
app.add_middleware(PaddockMiddleware, reporter=reporter, models={"/predict": MODEL_ID})
app.add_event_handler("startup", reporter.start)
app.add_event_handler("shutdown", reporter.stop)


class Question(BaseModel):
    row: conlist(float, min_items=30, max_items=30)


@app.post("/predict")
def predict(question: Question, request: Request):
    benign = float(model.inplace_predict(np.array([question.row], dtype=np.float32))[0])
    request.state.paddock_scores = {"confidence": max(benign, 1 - benign)}
    return {"benign_probability": benign, "label": "benign" if benign > 0.5 else "malignant"}


@app.get("/reporting")
def reporting():
    """What became of the records so far."""
    return {**reporter.counts, "waiting": len(reporter.buffer)}
