"""Language models of a few thousand random weights, saved as folders; every character is a token."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

BLOCKS = 4


def save_tokenizer(folder, *, special=None):
    """Every character is a token; ``special`` is a template such as ``<s> $A </s>`` with ids 1 and 2."""
    letters = {chr(code): code - 26 for code in range(32, 127)}  # ids 6 to 100, above those of the causality probe
    tokenizer = Tokenizer(models.WordLevel({"?": 0, "<s>": 1, "</s>": 2} | letters, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    if special:
        tokenizer.post_processor = TemplateProcessing(single=special, special_tokens=[("<s>", 1), ("</s>", 2)])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?").save_pretrained(folder)


def save_llama(folder, *, kind=LlamaForCausalLM, special=None):
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = LlamaConfig(vocab_size=101, num_hidden_layers=BLOCKS, initializer_range=0.3, **size)
    kind(config).save_pretrained(folder)
    save_tokenizer(folder, special=special)
    return folder


def save_bert(folder):
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": BLOCKS}
    BertModel(BertConfig(vocab_size=101, initializer_range=1.0, **size)).save_pretrained(folder)
    save_tokenizer(folder, special="<s> $A </s>")
    return folder
